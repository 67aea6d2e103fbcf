import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { certificate, commonName, context, crl, extension, oid, p256Key, pem, seq } from '../../schemas/trust/sample-der.ts'
import { limbo } from './limbo.ts'
import { runCases } from './suite.ts'

const who = (text: string): Buffer => commonName('Organisation', text)
const dns = (text: string): Buffer => context(2, Buffer.from(text), false)
const root = certificate({ subject: who('Root'), key: p256Key(), ca: true })
const sub = certificate({ subject: who('Sub'), key: p256Key(), issuer: root, ca: true, serial: 2 })
const leaf = certificate({
  subject: who('Leaf'),
  key: p256Key(),
  issuer: sub,
  serial: 3,
  usages: ['digitalSignature'],
  extensions: [
    extension('2.5.29.17', seq(dns('www.example'), dns('other.example'))),
    extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.1'))),
  ],
})
/** without extKeyUsage, and so for every purpose */
const plain = certificate({ subject: who('Plain'), key: p256Key(), issuer: sub, serial: 4 })
const AT = Date.UTC(2026, 0, 1)
const period = { thisUpdate: AT - 1e9, nextUpdate: AT + 1e9 }
const lists = [crl(root, [], period), crl(sub, [], period)].map(der => pem('X509 CRL', der))
const revoking = [
  pem('X509 CRL', crl(root, [], period)),
  pem('X509 CRL', crl(sub, [{ serial: leaf.serial, at: AT - 1e9 }], period)),
]

const one = {
  features: [],
  validation_kind: 'SERVER',
  trusted_certs: [pem('CERTIFICATE', root.der)],
  untrusted_intermediates: [pem('CERTIFICATE', sub.der)],
  peer_certificate: pem('CERTIFICATE', leaf.der),
  validation_time: '2026-01-01T00:00:00+00:00',
  signature_algorithms: [],
  key_usage: [],
  extended_key_usage: [],
  expected_peer_name: { kind: 'DNS', value: 'www.example' },
  expected_peer_names: [],
  max_chain_depth: null,
  crls: [],
}
const CLIENT = { validation_kind: 'CLIENT', expected_peer_name: null }
const names = (...values: readonly string[]): object[] => values.map(value => ({ kind: 'DNS', value }))

/** What each field of a case does, one against the other. */
const CASES: readonly (readonly [id: string, got: 'accepted' | 'refused', fields: object])[] = [
  ['plain', 'accepted', {}],
  ['fields-that-nobody-knows', 'accepted', { of_tomorrow: { deep: true } }],
  [
    'null-for-every-list',
    'accepted',
    { features: null, signature_algorithms: null, key_usage: null, extended_key_usage: null, crls: null },
  ],
  ['other-name', 'refused', { expected_peer_name: { kind: 'DNS', value: 'not.example' } }],
  ['after-the-end', 'refused', { validation_time: '2040-01-01T00:00:00Z' }],
  ['without-a-time-it-is-now', 'accepted', { validation_time: null }],
  [
    'client-with-both-names',
    'accepted',
    { ...CLIENT, extended_key_usage: ['serverAuth'], expected_peer_names: names('www.example', 'other.example') },
  ],
  [
    'client-with-a-name-too-many',
    'refused',
    { ...CLIENT, extended_key_usage: ['serverAuth'], expected_peer_names: names('www.example', 'not.example') },
  ],
  ['usage-that-is-there', 'accepted', { key_usage: ['digitalSignature'] }],
  ['usage-that-is-not', 'refused', { key_usage: ['contentCommitment'] }],
  ['purpose-that-is-there', 'accepted', { extended_key_usage: ['serverAuth'] }],
  ['purpose-that-is-not', 'refused', { extended_key_usage: ['codeSigning'] }],
  ['no-purpose-asked-of-a-server', 'accepted', { extended_key_usage: [] }],
  ['no-purpose-asked-of-a-client', 'refused', { ...CLIENT, extended_key_usage: [] }],
  ['no-purpose-asked-of-a-client-without-purposes', 'accepted', { ...CLIENT, peer_certificate: pem('CERTIFICATE', plain.der) }],
  ['any-purpose', 'accepted', { extended_key_usage: ['anyExtendedKeyUsage'] }],
  ['algorithm-that-is-listed', 'accepted', { signature_algorithms: ['ECDSA_WITH_SHA256'] }],
  ['algorithm-that-is-not', 'refused', { signature_algorithms: ['RSA_WITH_SHA256', 'RSASSA_PSS', 'ED25519'] }],
  ['deep-enough', 'accepted', { max_chain_depth: 1, features: ['max-chain-depth'] }],
  ['too-deep', 'refused', { max_chain_depth: 0, features: ['max-chain-depth'] }],
  ['lists', 'accepted', { crls: lists, features: ['has-crl'] }],
  ['one-list-missing', 'refused', { crls: lists.slice(0, 1), features: ['has-crl'] }],
  ['revoked', 'refused', { crls: revoking, features: ['has-crl'] }],
  ['no-anchor', 'refused', { trusted_certs: [] }],
  ['no-issuer', 'refused', { untrusted_intermediates: [] }],
  [
    'garbage-among-the-candidates',
    'accepted',
    { untrusted_intermediates: [pem('CERTIFICATE', Buffer.from('x')), '', ...one.untrusted_intermediates] },
  ],
  ['garbage-as-leaf', 'refused', { peer_certificate: 'garbage' }],
]

const folder = await mkdtemp(join(tmpdir(), 'hutong-limbo-'))
afterAll(() => rm(folder, { recursive: true }))

it('asks by every field that a case of limbo has', async () => {
  const testcases = CASES.map(([id, got, fields]) => ({
    id,
    expected_result: got === 'accepted' ? 'SUCCESS' : 'FAILURE',
    ...one,
    ...fields,
  }))
  await writeFile(join(folder, 'limbo.json'), JSON.stringify({ version: 1, testcases }))
  const { cases } = await runCases(limbo.name, await limbo.read(folder))
  expect(cases.map(({ id, got }) => [id, got])).toEqual(CASES.map(([id, got]) => [id, got]))
})
