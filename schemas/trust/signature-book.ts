/**
 * The signatures of one question: each checked once, paid for out of its work, and remembered beyond it only where it holds. DSA keys may
 * leave their parameters to the key above (RFC 3279 §2.3.2): what such a key signed is checked once a whole path gives them.
 */
import { ALGORITHM_POLICY, type AlgorithmPolicy, refusalOfKey } from './algorithm-policy.ts'
import type { Certificate, SubjectKey } from './certificate.ts'
import type { Work } from './limits.ts'
import type { Breach } from './path-checks.ts'
import type { PathQuestion } from './path-question.ts'
import { rememberSignature } from './proven.ts'
import { checkUnits, inheritParameters, isTableDue, keyDigest } from './public-keys.ts'
import { type SignatureResult, verifySignature } from './signature-algorithms.ts'

type Signed = Pick<Certificate, 'fingerprint' | 'tbs' | 'signature'>

const DSA = '1.2.840.10040.4.1'
const SM2_WITH_SM3 = '1.2.156.10197.1.501'
export const lacksParameters = ({ algorithm }: SubjectKey): boolean => algorithm.oid === DSA && algorithm.parameters === undefined

export class SignatureBook {
  readonly #question: Pick<PathQuestion, 'proven' | 'sm2Id'>
  readonly #work: Work
  readonly #algorithms: AlgorithmPolicy
  readonly #results = new Map<Signed, Map<string, SignatureResult>>()

  constructor(question: Pick<PathQuestion, 'proven' | 'sm2Id' | 'algorithms'>, work: Work) {
    this.#question = question
    this.#algorithms = question.algorithms ?? ALGORITHM_POLICY
    this.#work = work
  }

  /** Why the key, which is the issuer's, did not sign this; nothing if it did. */
  breach(below: Signed, issuer: Certificate, key: SubjectKey): Breach | undefined {
    const result = this.#verify(below, issuer, key)
    if (result === 'good') return undefined
    return { reason: result === 'bad' ? 'SIGNATURE_BAD' : result.unchecked, detail: below.signature.algorithm.oid }
  }

  #verify(below: Signed, issuer: Certificate, key: SubjectKey): SignatureResult {
    const { algorithm, bytes } = below.signature
    const sm2Id = algorithm.oid === SM2_WITH_SM3 ? this.#question.sm2Id?.(issuer) : undefined
    const { proven } = this.#question
    const id = sm2Id === undefined ? keyDigest(key) : `${keyDigest(key)} ${sm2Id}`
    if (proven?.signatures.get(below.fingerprint)?.includes(id) === true) return 'good'
    const of = this.#results.get(below)
    const known = of?.get(id)
    if (known !== undefined) return known
    const refusal = refusalOfKey(key, this.#algorithms)
    if (refusal !== undefined) return { unchecked: refusal }
    this.#work.spend('signatures')
    this.#work.spend('signatureUnits', checkUnits(key))
    this.#work.spend('bytes', below.tbs.length)
    const result = verifySignature({
      algorithm,
      key,
      message: below.tbs,
      signature: bytes,
      mayMakeTable: isTableDue(key) && this.#work.allows('tables'),
      ...(sm2Id !== undefined && { sm2Id }),
    })
    if (of === undefined) this.#results.set(below, new Map([[id, result]]))
    else of.set(id, result)
    if (result === 'good') rememberSignature(proven, below.fingerprint, id)
    return result
  }

  /** The first signature of a chain, from the top, that does not hold once parameters are handed down (RFC 5280 §6.1.4 (d) to (f)). */
  breachOfInherited(chain: readonly Certificate[]): Breach | undefined {
    let key = chain.at(-1)?.key
    for (let index = chain.length - 2; index >= 0; index--) {
      const [below, issuer] = [chain[index], chain[index + 1]]
      if (below === undefined || issuer === undefined || key === undefined) return undefined
      const breach = this.breach(below, issuer, key)
      if (breach !== undefined) return { ...breach, index }
      key = inheritParameters(below.key, key)
    }
    return undefined
  }

  /** Whether a signer, perhaps one of the certificates above, signed a list. */
  isSignedBy(crl: Signed, signer: Certificate, above: readonly Certificate[]): boolean {
    const from = above.findIndex(({ fingerprint }) => fingerprint === signer.fingerprint)
    const top = above.at(-1)?.key ?? signer.key
    const key = above.slice(from + 1).reduceRight((higher, { key: lower }) => inheritParameters(lower, higher), top)
    return this.breach(crl, signer, inheritParameters(signer.key, key)) === undefined
  }
}
