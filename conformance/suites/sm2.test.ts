import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { derOf } from './certificates.ts'
import { sm2 } from './sm2.ts'
import { type Expected, runCases } from './suite.ts'

const ID = '1234567812345678'
const OTHER_ID = 'other-signer-id'
const DAY = 86_400_000
/** after everything that is made here has begun */
const NOW = Date.now() + DAY

const OPENSSL = spawnSync('openssl', ['list', '-public-key-algorithms'], { encoding: 'utf8' })
const absent = OPENSSL.status !== 0 || !/\bSM2\b/.test(OPENSSL.stdout)
if (absent) process.stderr.write('skipped: there is no openssl with SM2 here\n')

const folder = mkdtempSync(join(tmpdir(), 'hutong-sm2-'))
afterAll(() => rmSync(folder, { recursive: true }))
const path = (name: string): string => join(folder, name)
const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

/** What a party signs with; SM2 under a signer ID. */
type Party = { readonly name: string; readonly kind: 'sm2' | 'rsa' | 'p256'; readonly id: string }
const party = (name: string, kind: Party['kind'] = 'sm2', id = ID): Party => ({ name, kind, id })
const digestOf = ({ kind }: Party): string => (kind === 'sm2' ? '-sm3' : '-sha256')
const signing = ({ kind, id }: Party): string[] => (kind === 'sm2' ? ['-sigopt', `distid:${id}`] : [])

const KEYS: { readonly [kind in Party['kind']]: readonly string[] } = {
  sm2: ['ecparam', '-name', 'SM2', '-genkey', '-noout'],
  p256: ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'],
  rsa: ['genpkey', '-quiet', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
}
const CA = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
const EE = 'keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'

/** A certificate of a party by an issuer, or by itself; its serial number is how many there are. */
let made = 0
function certify(subject: Party, issuer: Party | null, extensions: string, days = 1000): void {
  const { name, kind, id } = subject
  made += 1
  openssl(...KEYS[kind], '-out', `${name}.key`)
  openssl(
    'req',
    '-new',
    '-key',
    `${name}.key`,
    digestOf(subject),
    ...signing(subject),
    '-subj',
    `/O=Organisation/CN=${name}`,
    '-out',
    `${name}.csr`,
  )
  writeFileSync(path(`${name}.ext`), extensions)
  const by = issuer ?? subject
  const ca = issuer === null ? ['-signkey', `${name}.key`] : ['-CA', `${issuer.name}.pem`, '-CAkey', `${issuer.name}.key`]
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...(kind === 'sm2' ? ['-vfyopt', `distid:${id}`] : []),
    ...ca,
    '-set_serial',
    String(made),
    digestOf(by),
    ...signing(by),
    '-days',
    String(days),
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
  ) // prettier-ignore
}

function revoke(issuer: Party, serials: readonly number[], file: string): void {
  const rows = serials.map(
    serial =>
      `R\t300101000000Z\t250101000000Z,keyCompromise\t${serial.toString(16).padStart(2, '0').toUpperCase()}\tunknown\t/CN=x\n`,
  )
  writeFileSync(path('index.txt'), rows.join(''))
  writeFileSync(path('crlnumber'), '01\n')
  writeFileSync(
    path('ca.conf'),
    '[ca]\ndefault_ca=one\n[one]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sm3\ndefault_crl_days=30\ncrl_extensions=crl\n[crl]\nauthorityKeyIdentifier=keyid\n',
  )
  openssl(
    'ca',
    '-config',
    'ca.conf',
    '-gencrl',
    '-keyfile',
    `${issuer.name}.key`,
    '-cert',
    `${issuer.name}.pem`,
    ...signing(issuer),
    '-out',
    file,
  )
}

/**
 * Whether `openssl verify` takes each link by itself: the ID that it is given counts for the certificate asked about only, and under an
 * issuer with another key it would not do at all.
 */
const linksHold = (chain: readonly string[], id: string, at: number): boolean =>
  chain.slice(0, -1).every((name, index) => {
    const issuer = chain[index + 1] ?? ''
    const signer = issuer.startsWith('rsa') ? [] : ['-vfyopt', `distid:${id}`]
    const args = ['verify', '-partial_chain', '-attime', String(Math.floor(at / 1000)), '-trusted', issuer, ...signer, name]
    return spawnSync('openssl', args, { cwd: folder }).status === 0
  })

/** The content of the certificate as `openssl dgst -verify` judges it under the issuer's key. */
function contentHolds(name: string, issuer: string, id: string): boolean {
  const [der = Buffer.of()] = derOf(readFileSync(path(name)))
  writeFileSync(path('cut.der'), der)
  const offsets = openssl('asn1parse', '-inform', 'der', '-in', 'cut.der')
    .trim()
    .split('\n')
    .map(line => /^\s*(\d+):/.exec(line)?.[1] ?? '')
  const take = (at = '', out: string): unknown =>
    openssl('asn1parse', '-inform', 'der', '-in', 'cut.der', '-strparse', at, '-out', out, '-noout')
  take(offsets[1], 'tbs.der')
  take(offsets.at(-1), 'signature.der')
  writeFileSync(path('key.pem'), openssl('x509', '-in', issuer, '-noout', '-pubkey'))
  const args = ['dgst', '-sm3', '-sigopt', `distid:${id}`, '-verify', 'key.pem', '-signature', 'signature.der', 'tbs.der']
  return spawnSync('openssl', args, { cwd: folder }).status === 0
}

type Case = {
  readonly id: string
  readonly leaf: string
  readonly untrusted: readonly string[]
  readonly trusted: readonly string[]
  readonly crls: readonly string[]
  readonly sm2Id: string
  readonly validationTime: string
  readonly expected: Expected
}
const chainCase = (id: string, expected: Expected, chain: readonly string[], more: Partial<Case> = {}): Case => ({
  id,
  leaf: chain[0] ?? '',
  untrusted: chain.slice(1, -1),
  trusted: chain.slice(-1),
  crls: [],
  sm2Id: ID,
  validationTime: new Date(NOW).toISOString(),
  expected,
  ...more,
})

/** Bends the last byte of the signature. */
function bend(from: string, to: string): void {
  const der = Buffer.from(derOf(readFileSync(path(from)))[0] ?? Buffer.of())
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  writeFileSync(path(to), der)
}

const CASES: readonly Case[] = [
  chainCase('three of SM2', 'accepted', ['leaf.pem', 'sub.pem', 'root.pem']),
  chainCase('leaf in DER', 'accepted', ['leaf.der', 'sub.pem', 'root.pem']),
  chainCase('another signer ID than the CA signs with', 'refused', ['leaf.pem', 'sub.pem', 'root.pem'], { sm2Id: OTHER_ID }),
  chainCase('a CA with a signer ID of its own', 'accepted', ['other-leaf.pem', 'other-root.pem'], { sm2Id: OTHER_ID }),
  chainCase('a CA with a signer ID of its own, asked under the usual one', 'refused', ['other-leaf.pem', 'other-root.pem']),
  chainCase('bent signature', 'refused', ['bent.der', 'sub.pem', 'root.pem']),
  chainCase('absent issuer', 'refused', ['leaf.pem', 'root.pem']),
  chainCase('foreign root of the same name', 'refused', ['leaf.pem', 'sub.pem', 'twin.pem']),
  chainCase('after its end', 'refused', ['leaf.pem', 'sub.pem', 'root.pem'], {
    validationTime: new Date(NOW + 2000 * DAY).toISOString(),
  }),
  chainCase('before its beginning', 'refused', ['leaf.pem', 'sub.pem', 'root.pem'], {
    validationTime: new Date(NOW - 3 * DAY).toISOString(),
  }),
  chainCase('leaf of P-256 below SM2', 'accepted', ['p256.pem', 'sub.pem', 'root.pem']),
  chainCase('SM2 below RSA', 'accepted', ['below-rsa.pem', 'rsa-root.pem']),
  chainCase('RSA alone', 'accepted', ['rsa-leaf.pem', 'rsa-root.pem']),
  chainCase('signed by what is no CA', 'refused', ['below-leaf.pem', 'leaf.pem', 'sub.pem', 'root.pem']),
  chainCase('not revoked', 'accepted', ['leaf.pem', 'sub.pem', 'root.pem'], { crls: ['root.crl', 'sub.crl'] }),
  chainCase('revoked', 'refused', ['revoked.pem', 'sub.pem', 'root.pem'], { crls: ['root.crl', 'sub.crl'] }),
  chainCase('one list missing', 'refused', ['leaf.pem', 'sub.pem', 'root.pem'], { crls: ['root.crl'] }),
  chainCase('list by another signer ID', 'refused', ['leaf.pem', 'sub.pem', 'root.pem'], { crls: ['root.crl', 'other-id.crl'] }),
]

describe.skipIf(absent)('the suite sm2 on chains that openssl made', () => {
  beforeAll(() => {
    const [root, sub, other, rsa] = [party('root'), party('sub'), party('other-root', 'sm2', OTHER_ID), party('rsa-root', 'rsa')]
    certify(root, null, CA, 3000)
    certify(sub, root, CA)
    certify(party('leaf'), sub, EE)
    certify(party('revoked'), sub, EE)
    const revoked = made
    certify(party('p256', 'p256'), sub, EE)
    certify(other, null, CA)
    certify(party('other-leaf'), other, EE)
    certify(rsa, null, CA)
    certify(party('below-rsa'), rsa, EE)
    certify(party('rsa-leaf', 'rsa'), rsa, EE)
    certify(party('below-leaf'), party('leaf'), EE)
    certify(party('twin'), null, CA)
    openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      'twin.key',
      '-sm3',
      ...signing(root),
      '-subj',
      '/O=Organisation/CN=root',
      '-days',
      '3000',
      '-out',
      'twin.pem',
    )
    openssl('x509', '-in', 'leaf.pem', '-outform', 'der', '-out', 'leaf.der')
    bend('leaf.pem', 'bent.der')
    revoke(root, [], 'root.crl')
    revoke(sub, [revoked], 'sub.crl')
    revoke({ ...sub, id: OTHER_ID }, [], 'other-id.crl')
    writeFileSync(path('manifest.json'), JSON.stringify(CASES))
  }, 60_000)

  it('comes out as each case expects', async () => {
    const { cases, totals } = await runCases(sm2.name, await sm2.read(folder))
    expect(cases.filter(({ got, expected }) => got !== expected)).toEqual([])
    expect(totals).toMatchObject({ right: CASES.length, wronglyAccepted: 0, wronglyRefused: 0, notApplicable: 0 })
  })

  it('agrees with openssl verify wherever no revocation list is asked', async () => {
    for (const { id, leaf, untrusted, trusted, crls, sm2Id, validationTime, expected } of CASES)
      if (crls.length === 0)
        expect({ id, holds: linksHold([leaf, ...untrusted, ...trusted], sm2Id, Date.parse(validationTime)) }).toEqual({
          id,
          holds: expected === 'accepted',
        })
  })

  it('agrees with openssl dgst about every signature of SM2', async () => {
    const signatures: readonly (readonly [name: string, issuer: string, id: string, holds: boolean])[] = [
      ['leaf.pem', 'sub.pem', ID, true],
      ['leaf.pem', 'sub.pem', OTHER_ID, false],
      ['sub.pem', 'root.pem', ID, true],
      ['bent.der', 'sub.pem', ID, false],
      ['other-leaf.pem', 'other-root.pem', OTHER_ID, true],
      ['other-leaf.pem', 'other-root.pem', ID, false],
      ['p256.pem', 'sub.pem', ID, true],
      ['sub.crl', 'sub.pem', ID, true],
      ['other-id.crl', 'sub.pem', ID, false],
      ['other-id.crl', 'sub.pem', OTHER_ID, true],
    ]
    for (const [name, issuer, id, holds] of signatures)
      expect({ name, id, holds: contentHolds(name, issuer, id) }).toEqual({ name, id, holds })
  })
})
