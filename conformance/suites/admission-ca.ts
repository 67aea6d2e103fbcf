/**
 * Admission of a certification authority (`conformance ca PATH`): its samples must come out as it says, and as a node would judge them.
 * What they show (algorithms, where the holder's identity stands, whether keys come in pairs, addresses of revocation lists) is its
 * profile in the trust list. The manifest:
 *
 *   { "kind": "ca", "name": {"zh", "en"}, "region", "at"?, "code"?, "signerId"?, "format"?,
 *     "authorities": [files], "above"?: [files], "crls"?: [files],
 *     "pairs": [{ "sign": file, "encrypt"?: file, "holder"?: {"uscc"} | {"organisationCode"} | {"kind": "person"} }],
 *     "renewed"?: [{ "old": file, "new": file }], "revoked"?: [files],
 *     "wrong"?: [{ "certificate" | "crl": file, "expect": code, "purpose"?, "at"? }] }
 */
import type { Certificate } from '../../schemas/trust/certificate.ts'
import { DEFAULT_HOLDER_RULES, extractHolder, type Holder } from '../../schemas/trust/holder.ts'
import { draftEntity } from '../../schemas/trust/list-draft.ts'
import { isSameName } from '../../schemas/trust/names.ts'
import { encryptionCertificatesFor } from '../../schemas/trust/opening-outlook.ts'
import { pathJudge } from '../../schemas/trust/path-judge.ts'
import type { PathVerdict } from '../../schemas/trust/path-validation.ts'
import { PURPOSES, type PurposeName } from '../../schemas/trust/purposes.ts'
import { SM2_SIGNER_ID, signatureName } from '../../schemas/trust/signature-algorithms.ts'
import type { HolderRule, WireProfile } from '../../schemas/trust/trust-list.ts'
import { keyUseOf } from '../../schemas/trust/verification.ts'
import { type AdmissionCase, type AdmissionReport, judged, openSamples, type Samples, textIn } from './admission.ts'
import { isObject, type Json, malformed, textOf, textsOf, timeOf } from './material.ts'

type Ask = (leaf: Certificate, purpose: PurposeName, at?: number) => PathVerdict

const WHAT = {
  authority: { zh: '机构证书可作签发者', en: 'authority that may issue' },
  sign: { zh: '签名证书可用于签名', en: 'signing certificate, to sign' },
  encrypt: { zh: '加密证书可用于加密', en: 'encryption certificate, to encrypt' },
  apart: { zh: '加密证书不得用于签名', en: 'encryption certificate, not to sign' },
  pair: { zh: '双证规则可找到加密证书', en: 'encryption certificate found by the pair rule' },
  holder: { zh: '持有人标识可提取', en: 'holder as declared' },
  renewed: { zh: '换发证书属同一持有人且有效', en: 'renewed for the same holder, and good' },
  revoked: { zh: '已吊销证书被识别', en: 'revoked' },
  wrong: { zh: '错误样例被拒绝', en: 'wrong sample, refused for the stated reason' },
} as const

const isAsDeclared = (holder: Holder | null, declared: Json): boolean => {
  if (holder === null) return false
  if (declared.kind === 'person') return holder.kind === 'person'
  const uscc = textOf(declared.uscc)
  const code = textOf(declared.organisationCode)
  return (uscc !== null && holder.uscc === uscc) || (uscc === null && code !== null && holder.organisationCode === code)
}

/** Places that could hold an identity: those of the standards, every extension without a meaning of its own, every part of the name. */
function candidateRules({ extensions, subject }: Certificate): HolderRule[] {
  const known = new Set(DEFAULT_HOLDER_RULES.map(({ oid }) => oid))
  const own = extensions.unknown.filter(({ oid }) => !known.has(oid)).map(({ oid }) => ({ oid, where: 'extension' }) as const)
  const named = subject.rdns.flat().map(({ type }) => ({ oid: type, where: 'subject' }) as const)
  const kinds = ['auto', 'identity-number'] as const
  return [...DEFAULT_HOLDER_RULES, ...[...own, ...named].flatMap(place => kinds.map(kind => ({ ...place, kind })))]
}

/** The first places that give every declared holder, those of organisations before those of persons. */
function findHolderRules(samples: readonly { readonly certificate: Certificate; readonly declared: Json }[]): HolderRule[] {
  const rules: HolderRule[] = []
  const ordered = samples.toSorted((a, b) => Number(a.declared.kind === 'person') - Number(b.declared.kind === 'person'))
  for (const { certificate, declared } of ordered) {
    if (
      isAsDeclared(
        extractHolder(certificate, rules.length === 0 ? [{ oid: '0.0', kind: 'auto', where: 'extension' }] : rules),
        declared,
      )
    )
      continue
    const fitting = candidateRules(certificate).find(rule => isAsDeclared(extractHolder(certificate, [rule]), declared))
    if (fitting !== undefined) rules.push(fitting)
  }
  return rules
}

const addressesOf = (certificates: readonly Certificate[]): { readonly crl: string[]; readonly ocsp: string[] } => {
  const uris = (names: readonly { readonly kind: string; readonly value?: unknown }[] | undefined): string[] =>
    (names ?? []).flatMap(name => (name.kind === 'uri' && typeof name.value === 'string' ? [name.value] : []))
  const points = certificates.flatMap(({ extensions }) => extensions.crlDistributionPoints ?? [])
  const access = certificates.flatMap(({ extensions }) => extensions.authorityInfoAccess ?? [])
  return {
    crl: [...new Set(points.flatMap(({ fullName }) => uris(fullName)))].sort(),
    ocsp: [
      ...new Set(access.filter(({ method }) => method === '1.3.6.1.5.5.7.48.1').flatMap(({ location }) => uris([location]))),
    ].sort(),
  }
}

type Format = NonNullable<WireProfile['Format']>
const FORMATS: readonly Format[] = ['RFC5280', 'GB/T 20518-2018', 'GM/T 0015-2012', 'GM/T 0015-2023']

/** The edition by what the samples carry: GM/T 0015-2023 moved the credit code to an arc of its own. */
function formatOf(declared: unknown, certificates: readonly Certificate[]): Format {
  const said = FORMATS.find(format => format === declared)
  if (said !== undefined) return said
  const oids = new Set(certificates.flatMap(({ extensions }) => extensions.unknown.map(({ oid }) => oid)))
  if (oids.has('1.2.156.10260.4.4')) return 'GM/T 0015-2023'
  if (![...oids].some(oid => oid.startsWith('1.2.156.10260.4.1.') || oid.startsWith('1.2.86.11.7.'))) return 'RFC5280'
  return certificates.some(({ key }) => signatureName({ oid: key.algorithm.oid }) === 'sm2-sm3' || keyIsSm2(key.spki))
    ? 'GM/T 0015-2012'
    : 'GB/T 20518-2018'
}
const keyIsSm2 = (spki: Uint8Array): boolean => Buffer.from(spki).includes(Buffer.from('06082a811ccf5501822d', 'hex'))

const purposeOf = (value: unknown): PurposeName => {
  if (value === undefined) return 'sign'
  if (typeof value === 'string' && Object.hasOwn(PURPOSES, value)) return value as PurposeName
  throw malformed('manifest.json', `expected a purpose of ${Object.keys(PURPOSES).join(', ')}`)
}

async function judgePairs(
  samples: Samples,
  ask: Ask,
): Promise<{
  cases: AdmissionCase[]
  certificates: Certificate[]
  separate: boolean
  declared: { certificate: Certificate; declared: Json }[]
}> {
  const cases: AdmissionCase[] = []
  const certificates: Certificate[] = []
  const declared: { certificate: Certificate; declared: Json }[] = []
  let separate = true
  for (const row of samples.rows('pairs')) {
    const name = textIn(row, 'sign')
    const encrypt = textOf(row.encrypt)
    cases.push(await judged(`${name} sign`, WHAT.sign, 'GOOD', async () => ask(await samples.certificate(name), 'sign')))
    const signing = await samples.certificate(name).catch((): null => null)
    if (signing !== null) certificates.push(signing)
    if (signing !== null && isObject(row.holder)) declared.push({ certificate: signing, declared: row.holder })
    if (encrypt === null) {
      separate = false
      continue
    }
    cases.push(
      await judged(`${encrypt} encrypt`, WHAT.encrypt, 'GOOD', async () => ask(await samples.certificate(encrypt), 'encrypt')),
    )
    cases.push(
      await judged(`${encrypt} sign`, WHAT.apart, 'KEY_USAGE_REFUSED', async () => ask(await samples.certificate(encrypt), 'sign')),
    )
    const encrypting = await samples.certificate(encrypt).catch((): null => null)
    if (signing === null || encrypting === null) continue
    certificates.push(encrypting)
    separate &&= keyUseOf(signing) === 'sign' && keyUseOf(encrypting) === 'encrypt'
    cases.push(
      await judged(`${name} pair`, WHAT.pair, 'GOOD', async () => {
        const found = encryptionCertificatesFor(signing, [signing, encrypting], samples.at, 'separate')
        return {
          reason: found.some(({ fingerprint }) => fingerprint === encrypting.fingerprint) ? 'GOOD' : 'RECIPIENT_NOT_ENCRYPTION',
        }
      }),
    )
  }
  return { cases, certificates, separate, declared }
}

async function judgeOthers(samples: Samples, ask: Ask): Promise<AdmissionCase[]> {
  const cases: AdmissionCase[] = []
  for (const row of samples.rows('renewed')) {
    const [old, fresh] = [textIn(row, 'old'), textIn(row, 'new')]
    cases.push(
      await judged(`${fresh} renewed`, WHAT.renewed, 'GOOD', async () => {
        const [before, after] = [await samples.certificate(old), await samples.certificate(fresh)]
        if (!isSameName(before.subject, after.subject)) return { reason: 'PEER_NAME_MISMATCH', detail: 'another subject' }
        return ask(after, keyUseOf(after) === 'encrypt' ? 'encrypt' : 'sign')
      }),
    )
  }
  for (const name of textsOf(samples.manifest.revoked))
    cases.push(
      await judged(`${name} revoked`, WHAT.revoked, 'REVOKED', async () => {
        const certificate = await samples.certificate(name)
        return ask(certificate, keyUseOf(certificate) === 'encrypt' ? 'encrypt' : 'sign')
      }),
    )
  for (const row of samples.rows('wrong')) {
    const list = textOf(row.crl)
    const name = list ?? textIn(row, 'certificate')
    const at = timeOf(row.at, samples.at) ?? samples.at
    cases.push(
      await judged(`${name} wrong`, WHAT.wrong, textIn(row, 'expect'), async () => {
        if (list === null) return ask(await samples.certificate(name), purposeOf(row.purpose), at)
        await samples.crls([name])
        return { reason: 'GOOD' }
      }),
    )
  }
  return cases
}

/** @throws SUITE_MALFORMED, SUITE_FILE_MISSING, CERTIFICATE_MALFORMED and CRL_MALFORMED of what everything else rests on */
export async function admitCa(folder: string, now: number): Promise<AdmissionReport> {
  const samples = await openSamples(folder, 'ca', now)
  const { manifest, name, region, at } = samples
  const authorities = await samples.certificates(manifest.authorities)
  if (authorities.length === 0) throw malformed('manifest.json', 'expected certificates of the authority at "authorities"')
  const [above, crls] = [await samples.certificates(manifest.above), await samples.crls(manifest.crls)]
  const signerId = textOf(manifest.signerId) ?? SM2_SIGNER_ID
  const revocation = crls.length === 0 ? 'ignored' : 'required'
  const judge = pathJudge({ anchors: authorities, intermediates: above, crls, revocation, sm2Id: () => signerId })
  const ask: Ask = (leaf, purpose, time = at) => judge({ leaf, at: time, purpose, intermediates: [], crls: [] })

  const cases: AdmissionCase[] = []
  for (const [index, authority] of authorities.entries())
    cases.push(await judged(`authority ${index + 1}`, WHAT.authority, 'GOOD', async () => ask(authority, 'ca')))
  const pairs = await judgePairs(samples, ask)
  const rules = findHolderRules(pairs.declared)
  cases.push(...pairs.cases)
  for (const { certificate, declared } of pairs.declared) {
    const id = `${certificate.serial} holder`
    cases.push(
      await judged(id, WHAT.holder, 'GOOD', async () => ({
        reason: isAsDeclared(extractHolder(certificate, rules.length === 0 ? [] : rules), declared) ? 'GOOD' : 'PEER_NAME_MISMATCH',
      })),
    )
  }
  cases.push(...(await judgeOthers(samples, ask)))

  const everything = [...authorities, ...pairs.certificates]
  const addresses = addressesOf(pairs.certificates)
  const algorithms = [...new Set(everything.map(({ signature }) => signature.algorithm.oid))].sort()
  const profile: WireProfile = {
    Algorithms: algorithms as [string, ...string[]],
    SignerId: signerId,
    Format: formatOf(manifest.format, pairs.certificates),
    ...(rules.length === 0 ? {} : { Holder: rules.map(({ oid, kind, where }) => ({ Oid: oid, Kind: kind, Where: where })) }),
    Pair: pairs.separate && pairs.certificates.length > 0 ? 'separate' : 'single',
    Revocation: crls.length > 0 || addresses.crl.length > 0 ? 'crl' : 'none',
  }
  const passed = cases.every(({ ok }) => ok)
  const entity = draftEntity({
    name,
    region,
    ...(textOf(manifest.code) === null ? {} : { code: textIn(manifest, 'code') }),
    services: [{ name, certificates: authorities.map(({ der }) => der), since: new Date(at), ...addresses, profile }],
  })
  return {
    kind: 'ca',
    name,
    region,
    at: new Date(at).toISOString(),
    passed,
    cases,
    found: {
      profile,
      ...addresses,
      algorithms: algorithms.map(oid => ({ oid, name: signatureName({ oid }) ?? null })),
      deviations: everything.flatMap(({ serial, faults }) => faults.map(({ reason, detail }) => ({ serial, reason, detail }))),
    },
    draft: passed ? { TrustedEntitiesList: [entity] } : null,
  }
}
