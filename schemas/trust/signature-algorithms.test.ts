import { execFileSync } from 'node:child_process'
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ALGORITHM_POLICY, LEGACY_ALGORITHM_POLICY, refusalOfKey, refusalOfSignature } from './algorithm-policy.ts'
import { parseCertificate, parsePem, type SubjectKey, subjectKeyOf } from './certificate.ts'
import { parseCrl } from './crl.ts'
import { readDer } from './der.ts'
import { inheritParameters } from './public-keys.ts'
import { bits, context, int, nil, oid, p256Key, seq, sm2Key } from './sample-der.ts'
import { sm2Numbers, verifySignature } from './signature-algorithms.ts'

const MESSAGE = Buffer.from('what is signed')
const keyOf = (spki: Buffer): SubjectKey => subjectKeyOf(readDer(spki))
const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })
const NULL = Buffer.of(5, 0)

type Case = {
  readonly name: string
  readonly oid: string
  readonly parameters?: Buffer
  readonly key: SubjectKey
  readonly signature: Buffer
}
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const SHA256 = seq(oid('2.16.840.1.101.3.4.2.1'), nil())
const pss = (digest: Buffer, mask: Buffer, salt: number): Buffer =>
  seq(context(0, digest), context(1, seq(oid('1.2.840.113549.1.1.8'), mask)), context(2, int(salt)))
const pssSignature = sign('sha256', MESSAGE, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })

const elliptic = (curve: string, digest: string, arc: string): Case => {
  const pair = generateKeyPairSync('ec', { namedCurve: curve })
  return {
    name: `ECDSA ${curve}`,
    oid: `1.2.840.10045.4.3.${arc}`,
    key: keyOf(spkiOf(pair.publicKey)),
    signature: sign(digest, MESSAGE, pair.privateKey),
  }
}
const edwards = (type: 'ed25519' | 'ed448', arc: string): Case => {
  const pair = type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ed448')
  return { name: type, oid: `1.3.101.${arc}`, key: keyOf(spkiOf(pair.publicKey)), signature: sign(null, MESSAGE, pair.privateKey) }
}
const sm2 = sm2Key()
const dsa = generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 })

const CASES: readonly Case[] = [
  ...[
    ['sha1', '5'],
    ['sha224', '14'],
    ['sha256', '11'],
    ['sha384', '12'],
    ['sha512', '13'],
  ].map(([digest = '', arc]) => ({
    name: `RSA ${digest}`,
    oid: `1.2.840.113549.1.1.${arc}`,
    parameters: NULL,
    key: keyOf(spkiOf(rsa.publicKey)),
    signature: sign(digest, MESSAGE, rsa.privateKey),
  })),
  {
    name: 'RSA-PSS',
    oid: '1.2.840.113549.1.1.10',
    parameters: pss(SHA256, SHA256, 32),
    key: keyOf(spkiOf(rsa.publicKey)),
    signature: pssSignature,
  },
  elliptic('P-256', 'sha256', '2'),
  elliptic('P-384', 'sha384', '3'),
  elliptic('P-521', 'sha512', '4'),
  edwards('ed25519', '112'),
  edwards('ed448', '113'),
  {
    name: 'DSA',
    oid: '2.16.840.1.101.3.4.3.2',
    key: keyOf(spkiOf(dsa.publicKey)),
    signature: sign('sha256', MESSAGE, dsa.privateKey),
  },
  { name: 'SM2', oid: '1.2.156.10197.1.501', key: keyOf(sm2.spki), signature: sm2.sign(MESSAGE) },
]
const check = ({ oid: algorithm, parameters, key, signature }: Omit<Case, 'name'>, message = MESSAGE) =>
  verifySignature({ algorithm: { oid: algorithm, ...(parameters && { parameters }) }, key, message, signature })

describe('a signature', () => {
  for (const one of CASES)
    test(`of ${one.name} is good over its message and no other`, () => {
      expect(check(one)).toBe('good')
      expect(check(one, Buffer.from('another'))).toBe('bad')
      expect(check({ ...one, signature: one.signature.subarray(1) })).toBe('bad')
      expect(check({ ...one, signature: Buffer.concat([one.signature, Buffer.of(0)]) })).toBe('bad')
    })

  test('by an algorithm that is unknown is neither good nor bad', () => {
    const [one] = CASES
    expect(one && check({ ...one, oid: '1.2.3.4' })).toEqual({ unchecked: 'SIGNATURE_ALGORITHM_UNSUPPORTED' })
    expect(one && check({ ...one, key: keyOf(seq(seq(oid('1.2.3')), bits(Buffer.of(1)))) })).toEqual({
      unchecked: 'KEY_UNSUPPORTED',
    })
  })

  test('with parameters that its algorithm does not take is bad', () => {
    for (const one of CASES.filter(({ parameters, name }) => parameters === undefined && name !== 'SM2'))
      expect(check({ ...one, parameters: NULL }), one.name).toBe('bad')
    const [plain] = CASES
    expect(plain && check({ ...plain, parameters: oid('1.2.3') })).toBe('bad')
  })

  test('of RSA-PSS is held to its parameters', () => {
    const key = keyOf(spkiOf(rsa.publicKey))
    const of = (parameters?: Buffer) =>
      check({ oid: '1.2.840.113549.1.1.10', ...(parameters && { parameters }), key, signature: pssSignature })
    const SHA384 = seq(oid('2.16.840.1.101.3.4.2.2'), nil())
    expect(of(pss(SHA256, SHA256, 32))).toBe('good')
    expect(of(pss(SHA256, SHA256, 20))).toBe('bad')
    expect(of(pss(SHA256, SHA384, 32))).toBe('bad')
    expect(of(pss(SHA384, SHA384, 32))).toBe('bad')
    expect(of()).toBe('bad')
  })

  test('goes with keys of its own family only', () => {
    const [plain] = CASES
    const curve = CASES.find(({ name }) => name === 'ECDSA P-256')
    const gm = CASES.at(-1)
    if (plain === undefined || curve === undefined || gm === undefined) throw new RangeError('expected cases')
    expect(check({ ...plain, key: curve.key })).toBe('bad')
    expect(check({ ...curve, key: gm.key })).toBe('bad')
    expect(check({ ...gm, key: curve.key })).toBe('bad')
  })

  test('of ECDSA and SM2 is DER and nothing looser', () => {
    for (const one of [CASES.find(({ name }) => name === 'ECDSA P-256'), CASES.at(-1)]) {
      if (one === undefined) throw new RangeError('expected cases')
      const long = Buffer.concat([Buffer.of(0x30, 0x81), one.signature.subarray(1)])
      expect(check({ ...one, signature: long }), one.name).toBe('bad')
    }
  })

  test('of SM2 has both numbers between 1 and n − 1', () => {
    const order = Buffer.from('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123', 'hex')
    expect(sm2Numbers(seq(int(1), int(1)))).toBeDefined()
    expect(sm2Numbers(seq(int(0), int(1)))).toBeUndefined()
    expect(sm2Numbers(seq(int(1), int(order)))).toBeUndefined()
    expect(sm2Numbers(seq(int(1), int(1), int(1)))).toBeUndefined()
  })

  test('of SM2 depends on the signer ID', () => {
    const gm = CASES.at(-1)
    if (gm === undefined) throw new RangeError('expected cases')
    const input = { algorithm: { oid: gm.oid }, key: gm.key, message: MESSAGE, signature: gm.signature }
    expect(verifySignature({ ...input, sm2Id: '1234567812345678' })).toBe('good')
    expect(verifySignature({ ...input, sm2Id: 'another' })).toBe('bad')
  })
})

describe('keys', () => {
  test('of DSA without parameters take those of the key above', () => {
    const key = keyOf(spkiOf(dsa.publicKey))
    const bare: SubjectKey = {
      ...key,
      algorithm: { oid: key.algorithm.oid },
      spki: seq(seq(oid(key.algorithm.oid)), bits(key.bits)),
    }
    const one = CASES.find(({ name }) => name === 'DSA')
    if (one === undefined) throw new RangeError('expected cases')
    expect(check({ ...one, key: bare })).toEqual({ unchecked: 'KEY_UNSUPPORTED' })
    expect(check({ ...one, key: inheritParameters(bare, key) })).toBe('good')
    expect(inheritParameters(bare, keyOf(spkiOf(rsa.publicKey)))).toBe(bare)
  })

  test('and signatures are judged by policy', () => {
    const small = keyOf(spkiOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey))
    expect([refusalOfKey(small, ALGORITHM_POLICY), refusalOfKey(small, LEGACY_ALGORITHM_POLICY)]).toEqual([
      'KEY_REFUSED',
      undefined,
    ])
    const short = keyOf(spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-192' }).publicKey))
    expect(refusalOfKey(short, ALGORITHM_POLICY)).toBe('KEY_REFUSED')
    expect(refusalOfKey(keyOf(p256Key().spki), ALGORITHM_POLICY)).toBeUndefined()
    const explicit = keyOf(seq(seq(oid('1.2.840.10045.2.1'), seq(int(1))), bits(Buffer.alloc(65, 4))))
    expect(refusalOfKey(explicit, ALGORITHM_POLICY)).toBe('KEY_MALFORMED')
    expect(refusalOfSignature({ oid: '1.2.840.113549.1.1.5', parameters: NULL }, ALGORITHM_POLICY)).toBe(
      'SIGNATURE_ALGORITHM_REFUSED',
    )
    expect(refusalOfSignature({ oid: '1.2.840.10045.4.1' }, ALGORITHM_POLICY)).toBe('SIGNATURE_ALGORITHM_REFUSED')
    expect(refusalOfSignature({ oid: '1.2.156.10197.1.501' }, ALGORITHM_POLICY)).toBeUndefined()
  })
})

/** SM2 by another hand, which signs with the standard ID. */
describe('what the openssl command made', () => {
  const folder = mkdtempSync(join(tmpdir(), 'openssl-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const available = ((): boolean => {
    try {
      openssl('ecparam', '-name', 'SM2', '-genkey', '-noout', '-out', 'ca.key')
      return true
    } catch {
      process.stdout.write('skipped: no openssl command with SM2 here\n')
      return false
    }
  })()

  test.runIf(available)('an SM2 certificate and list verify, and under another ID they do not', () => {
    const ID = ['-sm3', '-sigopt', 'distid:1234567812345678']
    openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=openssl SM2', '-days', '30', ...ID, '-out', 'ca.crt')
    const settings = '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sm3\ndefault_crl_days=30\n'
    writeFileSync(join(folder, 'ca.cnf'), settings)
    writeFileSync(join(folder, 'index.txt'), '')
    writeFileSync(join(folder, 'number'), '01\n')
    openssl(
      'ca',
      '-gencrl',
      '-config',
      'ca.cnf',
      '-keyfile',
      'ca.key',
      '-cert',
      'ca.crt',
      '-sigopt',
      'distid:1234567812345678',
      '-out',
      'ca.crl',
    )
    const [der] = parsePem(readFileSync(join(folder, 'ca.crt')))
    const [listed] = parsePem(readFileSync(join(folder, 'ca.crl')), new Set(['X509 CRL']))
    if (der === undefined || listed === undefined) throw new RangeError('expected a certificate and a list')
    const ca = parseCertificate(der)
    const crl = parseCrl(listed)
    for (const { tbs, signature } of [ca, crl]) {
      const input = { algorithm: signature.algorithm, key: ca.key, message: tbs, signature: signature.bytes }
      expect(verifySignature(input)).toBe('good')
      expect(verifySignature({ ...input, sm2Id: '' })).toBe('bad')
    }
  })
})
