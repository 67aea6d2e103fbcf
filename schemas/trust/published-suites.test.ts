/** Published material made by others; skipped, aloud, where it is not at hand. The whole suites are run by `conformance`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { isExchangeError } from '../errors.ts'
import { LEGACY_ALGORITHM_POLICY } from './algorithm-policy.ts'
import { type Certificate, parseCertificate, parsePem } from './certificate.ts'
import { type Crl, parseCrl } from './crl.ts'
import { type PathQuestion, validatePath } from './path-validation.ts'
import { EXTENDED_KEY_USAGE } from './purposes.ts'

const data = (path: string): string => fileURLToPath(new URL(`../../../shared/data/${path}`, import.meta.url))
const present = (path: string): boolean => {
  const found = existsSync(data(path))
  if (!found) process.stdout.write(`skipped: ${path} is not at hand\n`)
  return found
}
const readable = <T>(parse: () => T): T[] => {
  try {
    return [parse()]
  } catch (error) {
    if (isExchangeError(error)) return []
    throw error
  }
}
const pemOf = (text: string): Certificate[] => parsePem(text).flatMap(der => readable(() => parseCertificate(der)))

type Vector = {
  readonly Name: string
  readonly CertPath: readonly string[]
  readonly CRLPath: readonly string[]
  readonly ShouldValidate: boolean
}
const PKITS = 'x509/pkits/vectors.json'
describe.runIf(present(PKITS))('PKITS', () => {
  const file = (folder: string, name: string): Buffer => readFileSync(data(`x509/pkits/${folder}/${name}`))
  const certificate = (name: string): Certificate[] => readable(() => parseCertificate(file('certs', name)))
  const crl = (name: string): Crl[] => readable(() => parseCrl(file('crls', name)))
  const vectors: readonly Vector[] = present(PKITS) ? JSON.parse(readFileSync(data(PKITS), 'utf8')) : []
  for (const { Name, CertPath, CRLPath, ShouldValidate } of vectors)
    test(Name, () => {
      const [anchor, ...rest] = CertPath
      const [leaf] = certificate(rest.at(-1) ?? '')
      const question = {
        intermediates: rest.slice(0, -1).flatMap(certificate),
        anchors: certificate(anchor ?? ''),
        crls: CRLPath.flatMap(crl),
        at: Date.UTC(2026, 0, 1),
        revocation: 'required',
        algorithms: LEGACY_ALGORITHM_POLICY,
      } as const
      expect(leaf !== undefined && validatePath({ ...question, leaf }).result === 'good').toBe(ShouldValidate)
    })
})

type Case = {
  readonly id: string
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly validation_kind: 'SERVER' | 'CLIENT'
  readonly validation_time: string | null
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly expected_peer_name: { readonly kind: 'DNS' | 'IP'; readonly value: string } | null
  readonly max_chain_depth: number | null
}
const LIMBO = 'x509/limbo-2023-12.json'
/** Expects the host example.com of a certificate that names no host; later editions of the suite expect no name there. */
const AMENDED = 'rfc5280::nc::permitted-dn-match'
describe.runIf(present(LIMBO))('x509-limbo', () => {
  const { testcases }: { readonly testcases: readonly Case[] } = present(LIMBO)
    ? JSON.parse(readFileSync(data(LIMBO), 'utf8'))
    : { testcases: [] }
  const KINDS = { DNS: 'dns', IP: 'ip' } as const
  for (const one of testcases.filter(({ id }) => !id.startsWith('webpki::')))
    test(`${one.id}: ${one.expected_result}`, () => {
      const [leaf] = pemOf(one.peer_certificate)
      const peer = one.id === AMENDED ? null : one.expected_peer_name
      const question: Omit<PathQuestion, 'leaf'> = {
        intermediates: one.untrusted_intermediates.flatMap(pemOf),
        anchors: one.trusted_certs.flatMap(pemOf),
        crls: [],
        at: one.validation_time === null ? Date.UTC(2026, 0, 1) : Date.parse(one.validation_time),
        revocation: 'ignored',
        profile: 'issuance',
        purpose: { extendedKeyUsage: [one.validation_kind === 'SERVER' ? EXTENDED_KEY_USAGE.server : EXTENDED_KEY_USAGE.client] },
        ...(peer && { names: [{ kind: KINDS[peer.kind], value: peer.value }] }),
        ...(one.max_chain_depth !== null && one.max_chain_depth !== undefined && { maxPathLength: one.max_chain_depth }),
      }
      expect(leaf !== undefined && validatePath({ ...question, leaf }).result === 'good').toBe(one.expected_result === 'SUCCESS')
    })
})

const NATIONAL = 'trust/cn-national'
test.runIf(present(NATIONAL))(
  '17 national CAs stand under the root, 3 under roots that are not here, and a damaged file is malformed',
  () => {
    const names = readdirSync(data(NATIONAL)).filter(name => name.endsWith('.crt'))
    const cas = names.flatMap(name => pemOf(readFileSync(data(`${NATIONAL}/${name}`), 'utf8')))
    const anchors = pemOf(readFileSync(data(`${NATIONAL}/ROOTCA-NRCAC.pem`), 'utf8'))
    const reasons = cas.map(
      leaf => validatePath({ leaf, anchors, intermediates: cas, crls: [], at: Date.UTC(2026, 5, 1), revocation: 'ignored' }).reason,
    )
    expect(reasons.filter(reason => reason === 'GOOD')).toHaveLength(17)
    expect(reasons.filter(reason => reason === 'ISSUER_UNKNOWN')).toHaveLength(3)
    const [first] = cas
    const damaged = Buffer.from(first?.der ?? [])
    damaged.writeUInt8(damaged.readUInt8(9) ^ 0xff, 9)
    expect(() => parseCertificate(damaged)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }))
  },
)
