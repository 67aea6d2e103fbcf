/**
 * An answer to a login's question, judged: a signature over the text that was asked, with the key of the certificate beside it, and
 * that certificate good for logging in now. The cheap checks come first, so that nobody has paths built for a key that he does not hold.
 */
import { ExchangeError } from '../../schemas/errors.ts'
import { LOGIN_SIGNATURES, type LoginSignatureName } from '../../schemas/login/signatures.ts'
import { loginBytes } from '../../schemas/login/statement.ts'
import { algorithmOf, type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { DerReader, oidOf, readDer } from '../../schemas/trust/der.ts'
import { SM2_SIGNER_ID, verifySignature } from '../../schemas/trust/signature-algorithms.ts'
import type { GoodCertificate, HolderCheck, RefusedCertificate } from './holder.ts'

/** As the page sends it; binary members are base64. */
export type LoginAnswer = {
  readonly nonce: string
  readonly algorithm: LoginSignatureName
  readonly signature: string
  readonly certificate: string
  readonly chain?: readonly string[]
}

export const ANSWER_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['nonce', 'algorithm', 'signature', 'certificate'],
  properties: {
    nonce: { type: 'string', maxLength: 64 },
    algorithm: { type: 'string', enum: LOGIN_SIGNATURES.map(row => row.name) },
    signature: { type: 'string', maxLength: 2048, pattern: '^[A-Za-z0-9+/]+={0,2}$' },
    certificate: { type: 'string', maxLength: 16_384, pattern: '^[A-Za-z0-9+/]+={0,2}$' },
    chain: { type: 'array', maxItems: 6, items: { type: 'string', maxLength: 16_384, pattern: '^[A-Za-z0-9+/]+={0,2}$' } },
  },
} as const

const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64')

/** The OIDs of a key: its algorithm, and its curve where the parameters are one. */
function keyOids({ key }: Certificate): readonly string[] {
  const { oid, parameters } = key.algorithm
  if (parameters === undefined || parameters[0] !== 0x06) return [oid]
  return [oid, oidOf(readDer(parameters))]
}

/** @throws LOGIN_SIGNATURE_INVALID, LOGIN_CERTIFICATE_UNCHECKED where the algorithm is not known here */
function verifyPossession(certificate: Certificate, { algorithm, signature }: LoginAnswer, statement: string): void {
  const row = LOGIN_SIGNATURES.find(one => one.name === algorithm)
  const oids = keyOids(certificate)
  if (row === undefined || !row.key.every((oid, index) => oids[index] === oid))
    throw new ExchangeError('LOGIN_SIGNATURE_INVALID', 'expected an algorithm of the key that the certificate has')
  const result = verifySignature({
    algorithm: algorithmOf(new DerReader(Buffer.from(row.algorithm, 'hex'))),
    key: certificate.key,
    message: loginBytes(statement),
    signature: bytesOf(signature),
    // GM/T 0009 §10: of a document, whatever the authority signs its certificates with
    sm2Id: SM2_SIGNER_ID,
  })
  if (result === 'good') return
  if (result === 'bad') throw new ExchangeError('LOGIN_SIGNATURE_INVALID', 'the signature does not verify over this text')
  throw new ExchangeError('LOGIN_CERTIFICATE_UNCHECKED', 'signatures of this kind cannot be verified here', {
    detail: { reason: result.unchecked },
  })
}

const CODES = { bad: 'LOGIN_CERTIFICATE_BAD', unchecked: 'LOGIN_CERTIFICATE_UNCHECKED' } as const

/** The reason is told in both languages: the holder has to know what to do with it. */
export const refusalOf = ({ result, reason }: RefusedCertificate): ExchangeError =>
  new ExchangeError(CODES[result], reason.en, { detail: { reason: reason.code, reason_en: reason.en, reason_zh: reason.zh } })

export async function judgeAnswer(
  answer: LoginAnswer,
  statement: string,
  { check, now }: { readonly check: HolderCheck; readonly now: Date },
): Promise<{ readonly verdict: GoodCertificate; readonly der: Buffer }> {
  const der = bytesOf(answer.certificate)
  verifyPossession(parseCertificate(der), answer, statement)
  const verdict = await check({ der, chain: (answer.chain ?? []).map(bytesOf) }, now)
  if (verdict.result !== 'good') throw refusalOf(verdict)
  return { verdict, der }
}
