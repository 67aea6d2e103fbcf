/**
 * Admission of a maker of electronic seals (`conformance seal PATH`): its seals and signatures with them, right and wrong ones, must come
 * out as it says. The manifest:
 *
 *   { "kind": "seal", "name": {"zh", "en"}, "region", "at"?, "code"?, "signerId"?,
 *     "makers": [files], "authorities": [files], "above"?: [files], "crls"?: [files],
 *     "seals": [{ "file", "expect"? }], "signatures": [{ "file", "document", "expect"? }] }
 *
 * `expect` is a reason or the code of an error; `GOOD` unless said. Wrong samples stand among the others.
 */
import { draftEntity } from '../../schemas/trust/list-draft.ts'
import { pathJudge } from '../../schemas/trust/path-judge.ts'
import { parseSeal, parseSealSignature, verifySeal, verifySealSignature } from '../../schemas/trust/seal.ts'
import { SM2_SIGNER_ID, signatureName } from '../../schemas/trust/signature-algorithms.ts'
import { type AdmissionCase, type AdmissionReport, judged, openSamples, textIn } from './admission.ts'
import { malformed, textOf } from './material.ts'

const WHAT = {
  maker: { zh: '制章者证书可用于制章', en: 'certificate of the maker, to make seals' },
  seal: { zh: '电子印章', en: 'seal' },
  signature: { zh: '电子签章', en: 'signature with a seal' },
  wrongSeal: { zh: '错误印章被拒绝', en: 'wrong seal, refused for the stated reason' },
  wrongSignature: { zh: '错误签章被拒绝', en: 'wrong signature with a seal, refused for the stated reason' },
  samples: { zh: '样例齐全：正确与错误的印章和签章', en: 'samples of every kind: right and wrong seals and signatures' },
} as const

/** @throws SUITE_MALFORMED, SUITE_FILE_MISSING, CERTIFICATE_MALFORMED and CRL_MALFORMED of what everything else rests on */
export async function admitSealMaker(folder: string, now: number): Promise<AdmissionReport> {
  const samples = await openSamples(folder, 'seal', now)
  const { manifest, name, region, at } = samples
  const makers = await samples.certificates(manifest.makers)
  if (makers.length === 0) throw malformed('manifest.json', 'expected certificates of the maker at "makers"')
  const authorities = await samples.certificates(manifest.authorities)
  const [above, crls] = [await samples.certificates(manifest.above), await samples.crls(manifest.crls)]
  const signerId = textOf(manifest.signerId) ?? SM2_SIGNER_ID
  const revocation = crls.length === 0 ? 'ignored' : 'required'
  const judge = pathJudge({ anchors: authorities, intermediates: above, crls, revocation, sm2Id: () => signerId })
  const sm2Id = (): string => signerId

  const cases: AdmissionCase[] = []
  for (const [index, maker] of makers.entries())
    cases.push(
      await judged(`maker ${index + 1}`, WHAT.maker, 'GOOD', async () =>
        judge({ leaf: maker, at, purpose: 'seal', intermediates: [], crls: [] }),
      ),
    )
  const editions = new Set<string>()
  const versions = new Set<number>()
  const algorithms = new Set<string>()
  const holderLists = new Set<string>()
  for (const row of samples.rows('seals')) {
    const file = textIn(row, 'file')
    const expected = textOf(row.expect) ?? 'GOOD'
    cases.push(
      await judged(file, expected === 'GOOD' ? WHAT.seal : WHAT.wrongSeal, expected, async () => {
        const seal = parseSeal(await samples.file(file))
        const verdict = verifySeal({ seal, at, judge, sm2Id })
        const ours = makers.some(({ der }) => Buffer.compare(der, seal.maker.certificate) === 0)
        if (verdict.result === 'good' && !ours)
          return { reason: 'SEAL_HOLDER_DIFFERS', detail: 'made with a certificate that is not among "makers"' }
        if (verdict.result === 'good') {
          editions.add(seal.edition)
          versions.add(seal.version)
          algorithms.add(seal.maker.algorithm)
          holderLists.add(seal.holders.kind)
        }
        return { reason: verdict.reason, detail: verdict.check ?? '' }
      }),
    )
  }
  for (const row of samples.rows('signatures')) {
    const file = textIn(row, 'file')
    const expected = textOf(row.expect) ?? 'GOOD'
    cases.push(
      await judged(file, expected === 'GOOD' ? WHAT.signature : WHAT.wrongSignature, expected, async () => {
        const document = { bytes: await samples.file(textIn(row, 'document')) }
        const { reason, check } = verifySealSignature({
          signature: parseSealSignature(await samples.file(file)),
          document,
          at,
          judge,
          sm2Id,
        })
        return { reason, detail: check ?? '' }
      }),
    )
  }
  const kinds = [...Object.values(WHAT)].filter(what => what !== WHAT.maker && what !== WHAT.samples)
  const missing = kinds.filter(({ en }) => !cases.some(one => one.en === en)).map(({ en }) => en)
  cases.push(
    await judged('samples', WHAT.samples, 'GOOD', async () => ({
      reason: missing.length === 0 ? 'GOOD' : 'SUITE_MALFORMED',
      detail: missing.join('; '),
    })),
  )

  const passed = cases.every(({ ok }) => ok)
  const entity = draftEntity({
    name,
    region,
    ...(textOf(manifest.code) === null ? {} : { code: textIn(manifest, 'code') }),
    services: [
      {
        type: 'seal-maker',
        name,
        certificates: makers.map(({ der }) => der),
        since: new Date(at),
        profile: { SignerId: signerId },
      },
    ],
  })
  return {
    kind: 'seal',
    name,
    region,
    at: new Date(at).toISOString(),
    passed,
    cases,
    found: {
      editions: [...editions].sort(),
      versions: [...versions].sort(),
      algorithms: [...algorithms].sort().map(oid => ({ oid, name: signatureName({ oid }) ?? null })),
      holders: [...holderLists].sort(),
      signer_id: signerId,
    },
    draft: passed ? { TrustedEntitiesList: [entity] } : null,
  }
}
