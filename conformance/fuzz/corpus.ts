/**
 * What the fuzzing starts from: certificates with every extension that the product reads, revocation lists, signed messages. All of it
 * follows from names, signatures included, so that a seed means the same bytes on every machine: Ed25519 signs without a random number,
 * SM2 with one that is derived. ECDSA and RSA stand with signatures that cannot be right; their readers are met all the same.
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { sm2 } from 'sm-crypto-v2'
import {
  bits,
  bool,
  certificate,
  commonName,
  context,
  crl,
  extension,
  ia5,
  int,
  keyId,
  name,
  nil,
  oct,
  oid,
  printable,
  SAMPLE_OIDS,
  type SampleCertificate,
  type SampleKey,
  seq,
  setOf,
  tlv,
  utcTime,
  utf8,
} from '../../schemas/trust/sample-der.ts'
import { sampleSeal, sampleSealSignature, sampleTimestamp } from '../../schemas/trust/sample-seals.ts'
import { SEAL_EDITIONS } from '../../schemas/trust/seal-parts.ts'

export const AT = Date.UTC(2026, 0, 1)

const digest = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function ed25519(label: string): SampleKey {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), digest(label)])
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  return {
    kind: 'ed25519',
    pkcs8,
    spki: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    algorithm: seq(oid(SAMPLE_OIDS.ed25519)),
    sign: message => sign(null, message, key),
  }
}

function sm2Key(label: string): SampleKey {
  const privateKey = digest(label).toString('hex')
  const publicKey = sm2.getPublicKeyFromPrivateKey(privateKey)
  const derived = (message: Uint8Array): { k: bigint; x1: bigint } => {
    const k = digest('k', label, message).toString('hex')
    return { k: BigInt(`0x${k}`), x1: BigInt(`0x${sm2.getPublicKeyFromPrivateKey(k).slice(2, 66)}`) }
  }
  return {
    kind: 'sm2',
    pkcs8: Buffer.of(),
    spki: seq(seq(oid('1.2.840.10045.2.1'), oid(SAMPLE_OIDS.sm2)), bits(Buffer.from(publicKey, 'hex'))),
    algorithm: seq(oid(SAMPLE_OIDS.sm2Sm3)),
    sign: message =>
      Buffer.from(
        sm2.doSignature(message, privateKey, {
          hash: true,
          der: true,
          publicKey,
          userId: '1234567812345678',
          pointPool: [derived(message)],
        }),
        'hex',
      ),
  }
}

function p256(label: string): SampleKey {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(digest(label))
  return {
    kind: 'p256',
    pkcs8: Buffer.of(),
    spki: seq(seq(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')), bits(ecdh.getPublicKey())),
    algorithm: seq(oid(SAMPLE_OIDS.ecdsaSha256)),
    sign: message => seq(int(digest('r', message)), int(digest('s', message))),
  }
}

function rsa(label: string, algorithm: Buffer): SampleKey {
  const modulus = Buffer.concat(Array.from({ length: 8 }, (_, index) => digest(label, String(index))))
  modulus[0] = (modulus[0] ?? 0) | 0x80
  modulus[255] = (modulus[255] ?? 0) | 1
  return {
    kind: 'rsa',
    pkcs8: Buffer.of(),
    spki: seq(seq(oid(SAMPLE_OIDS.rsa), nil()), bits(seq(int(modulus), int(65_537)))),
    algorithm,
    sign: message => Buffer.concat(Array.from({ length: 8 }, (_, index) => digest(String(index), message))),
  }
}

const PSS = seq(
  oid('1.2.840.113549.1.1.10'),
  seq(
    context(0, seq(oid(SAMPLE_OIDS.sha256))),
    context(1, seq(oid('1.2.840.113549.1.1.8'), seq(oid(SAMPLE_OIDS.sha256)))),
    context(2, int(32)),
  ),
)

const uri = (text: string): Buffer => tlv(0x86, Buffer.from(text))
const dns = (text: string): Buffer => tlv(0x82, Buffer.from(text))
const directory = (inner: Buffer): Buffer => context(4, inner)
const ANY_POLICY = '2.5.29.32.0'
const policy = (id: string, ...qualifiers: readonly Buffer[]): Buffer =>
  qualifiers.length === 0 ? seq(oid(id)) : seq(oid(id), seq(...qualifiers))
const point = (...parts: readonly Buffer[]): Buffer => seq(...parts)
const fullName = (...names: readonly Buffer[]): Buffer => context(0, context(0, Buffer.concat(names)))

const CA_EXTENSIONS: readonly Buffer[] = [
  extension(
    '2.5.29.30',
    seq(
      context(
        0,
        Buffer.concat([
          seq(dns('example')),
          seq(tlv(0x87, Buffer.from('0a000000ff000000', 'hex'))),
          seq(tlv(0x81, Buffer.from('example'))),
        ]),
      ),
      context(
        1,
        Buffer.concat([seq(dns('bad.example')), seq(directory(commonName('Excluded', 'Nobody'))), seq(uri('bad.example'))]),
      ),
    ),
    true,
  ),
  extension('2.5.29.32', seq(policy('1.2.3.4'), policy(ANY_POLICY))),
  extension('2.5.29.33', seq(seq(oid('1.2.3.4'), oid('1.2.3.5')), seq(oid('1.2.3.4'), oid('1.2.3.6'))), true),
  extension('2.5.29.36', seq(context(0, Buffer.of(3), false), context(1, Buffer.of(2), false)), true),
  extension('2.5.29.54', int(4), true),
  extension('2.5.29.31', seq(point(fullName(uri('http://crl.example/sub.crl'))))),
]

const LEAF_EXTENSIONS: readonly Buffer[] = [
  extension(
    '2.5.29.17',
    seq(
      dns('www.example'),
      tlv(0x87, Buffer.of(10, 1, 2, 3)),
      tlv(0x81, Buffer.from('someone@example')),
      uri('https://www.example/path'),
      context(0, Buffer.concat([oid('1.3.6.1.4.1.311.20.2.3'), context(0, utf8('someone'))])),
      tlv(0x88, Buffer.from('2a030405', 'hex')),
      directory(commonName('Organisation', 'Other')),
    ),
  ),
  extension('2.5.29.37', seq(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
  extension(
    '2.5.29.32',
    seq(
      policy(
        '1.2.3.5',
        seq(oid('1.3.6.1.5.5.7.2.1'), ia5('http://cps.example')),
        seq(oid('1.3.6.1.5.5.7.2.2'), seq(utf8('a notice'))),
      ),
    ),
  ),
  extension(
    '2.5.29.31',
    seq(
      point(
        fullName(uri('http://crl.example/a.crl')),
        context(1, Buffer.of(1, 0x7e), false),
        context(2, directory(commonName('Organisation', 'CRL'))),
      ),
    ),
  ),
  extension('2.5.29.46', seq(point(fullName(uri('http://crl.example/delta.crl'))))),
  extension('1.3.6.1.5.5.7.1.1', seq(seq(oid('1.3.6.1.5.5.7.48.1'), uri('http://ocsp.example')))),
  extension('1.2.156.10260.4.1.1', printable('AAAAAAAAAAAAAAAAAAAA')),
  extension('1.2.3.4.5.6', oct(Buffer.from('unknown'))),
]

/** A list with the extensions that a plain one does not have. */
function richCrl(issuer: SampleCertificate, delta: boolean): Buffer {
  const entries = [
    seq(
      int(7),
      utcTime(AT - 1e9),
      seq(extension('2.5.29.21', tlv(0x0a, Buffer.of(1))), extension('2.5.29.24', tlv(0x18, Buffer.from('20250101000000Z')))),
    ),
    seq(int(8), utcTime(AT - 1e9), seq(extension('2.5.29.29', seq(directory(commonName('Organisation', 'Indirect'))), true))),
    seq(int(9), utcTime(AT - 1e9), seq(extension('2.5.29.21', tlv(0x0a, Buffer.of(8))))),
  ]
  const tbs = seq(
    int(1),
    issuer.key.algorithm,
    issuer.subject,
    utcTime(AT - 1e9),
    utcTime(AT + 1e9),
    seq(...entries),
    context(
      0,
      seq(
        extension('2.5.29.35', seq(context(0, keyId(issuer.key), false))),
        extension('2.5.29.20', int(12)),
        extension(
          '2.5.29.28',
          seq(fullName(uri('http://crl.example/a.crl')), context(3, Buffer.of(1, 0x7e), false), context(4, Buffer.of(0xff), false)),
          true,
        ),
        ...(delta
          ? [extension('2.5.29.27', int(11), true)]
          : [extension('2.5.29.46', seq(point(fullName(uri('http://crl.example/delta.crl')))))]),
      ),
    ),
  )
  return seq(tbs, issuer.key.algorithm, bits(issuer.key.sign(tbs)))
}

const attribute = (id: string, ...values: readonly Buffer[]): Buffer => seq(oid(id), setOf(...values))

/** A signed message with its content, attributes and certificates; GB/T 35275 has the same under an arc of its own. */
function message(
  signer: SampleCertificate,
  arc: string,
  digestOid: string,
  hash: string,
  certificates: readonly SampleCertificate[],
  lists: readonly Buffer[],
): Buffer {
  const content = Buffer.from('a notice of award')
  const attributes = [
    attribute('1.2.840.113549.1.9.3', oid(`${arc}1`)),
    attribute('1.2.840.113549.1.9.4', oct(createHash(hash).update(content).digest())),
    attribute('1.2.840.113549.1.9.5', utcTime(AT)),
  ]
  const info = seq(
    int(1),
    seq(signer.issuer, signer.serial),
    seq(oid(digestOid)),
    context(0, Buffer.concat([...attributes].sort(Buffer.compare))),
    signer.key.algorithm,
    oct(signer.key.sign(setOf(...attributes))),
  )
  const signed = seq(
    int(1),
    setOf(seq(oid(digestOid))),
    seq(oid(`${arc}1`), context(0, oct(content))),
    context(0, Buffer.concat(certificates.map(({ der }) => der))),
    ...(lists.length === 0 ? [] : [context(1, Buffer.concat(lists))]),
    setOf(info),
  )
  return seq(oid(`${arc}2`), context(0, signed))
}

/** An encrypted message for a holder, its key and content being nothing that could be opened. */
function envelope(holder: SampleCertificate, arc: string, keyAlgorithm: Buffer, contentAlgorithm: Buffer, key: Buffer): Buffer {
  const recipient = seq(int(1), seq(holder.issuer, holder.serial), keyAlgorithm, oct(key))
  const content = seq(oid(`${arc}1`), contentAlgorithm, context(0, Buffer.alloc(32, 5), false))
  return seq(oid(`${arc}3`), context(0, seq(int(1), setOf(recipient), content)))
}

function seals(maker: SampleCertificate, signer: SampleCertificate): { readonly seals: Corpora; readonly signatures: Corpora } {
  const period = { createdAt: AT - 1e9, validFrom: AT - 1e9, validUntil: AT + 1e10 }
  const made = SEAL_EDITIONS.map(({ edition }) => ({
    edition,
    seal: sampleSeal({ edition, maker, holders: [signer], ...period, criticalExtension: false }),
  }))
  const stamp = (signature: Uint8Array): Buffer => sampleTimestamp(maker, signature, AT - 1e6)
  return {
    seals: made.map(({ seal }) => seal) as [Buffer, ...Buffer[]],
    signatures: made.map(({ edition, seal }) =>
      sampleSealSignature({ edition, seal, signer, at: AT - 1e7, document: Buffer.from('a bid'), timestamp: stamp }),
    ) as [Buffer, ...Buffer[]],
  }
}

type Corpora = readonly [Buffer, ...Buffer[]]
export type Corpus = {
  readonly sm2Root: SampleCertificate
  readonly seals: Corpora
  readonly sealSignatures: Corpora
  readonly envelopes: Corpora
  readonly keys: readonly [SampleKey, ...SampleKey[]]
  readonly root: SampleCertificate
  readonly sub: SampleCertificate
  readonly leaf: SampleCertificate
  readonly certificates: Corpora
  readonly crls: Corpora
  readonly messages: Corpora
}

export function makeCorpus(): Corpus {
  const who = (text: string): Buffer => commonName('Organisation', text)
  const root = certificate({ subject: who('Root'), key: ed25519('root'), ca: true })
  const sub = certificate({
    subject: who('Sub'),
    key: ed25519('sub'),
    issuer: root,
    ca: true,
    serial: 2,
    extensions: CA_EXTENSIONS,
  })
  const leaf = certificate({ subject: who('Leaf'), key: ed25519('leaf'), issuer: sub, serial: 3, extensions: LEAF_EXTENSIONS })
  const plain = certificate({
    subject: name(['2.5.4.3', utf8('甲公司')]),
    key: ed25519('plain'),
    issuer: root,
    serial: Buffer.alloc(20, 0x11),
  })
  const sm2Root = certificate({ subject: who('SM2 root'), key: sm2Key('sm2 root'), ca: true })
  const sm2Leaf = certificate({ subject: who('SM2 leaf'), key: sm2Key('sm2 leaf'), issuer: sm2Root, serial: 4 })
  const ecdsa = certificate({
    subject: who('ECDSA'),
    key: p256('ecdsa'),
    ca: true,
    extensions: [extension('2.5.29.19', seq(bool(true), int(0)), true)].slice(1),
  })
  const rsaLeaf = certificate({ subject: who('RSA'), key: rsa('rsa', seq(oid(SAMPLE_OIDS.rsaSha256), nil())) })
  const pss = certificate({ subject: who('PSS'), key: rsa('pss', PSS) })
  const maker = certificate({ subject: who('SM2 maker'), key: sm2Key('sm2 maker'), issuer: sm2Root, serial: 5 })
  const sealed = seals(maker, sm2Leaf)
  const period = { thisUpdate: AT - 1e9, nextUpdate: AT + 1e9 }
  const crls: [Buffer, ...Buffer[]] = [
    crl(root, [], period),
    crl(sub, [{ serial: int(99), at: AT - 1e9, reason: 4 }], period),
    richCrl(sub, false),
    richCrl(sub, true),
    crl(sm2Root, [{ serial: int(98), at: AT - 1e9 }], period),
  ]
  return {
    keys: ['a', 'b', 'c', 'd'].map(ed25519) as [SampleKey, ...SampleKey[]],
    root,
    sub,
    leaf,
    certificates: [root, sub, leaf, plain, sm2Root, sm2Leaf, ecdsa, rsaLeaf, pss].map(({ der }) => der) as [Buffer, ...Buffer[]],
    crls,
    sm2Root,
    seals: sealed.seals,
    sealSignatures: sealed.signatures,
    envelopes: [
      envelope(
        sm2Leaf,
        '1.2.156.10197.6.1.4.2.',
        seq(oid('1.2.156.10197.1.301.3')),
        seq(oid('1.2.156.10197.1.104.2'), oct(Buffer.alloc(16, 1))),
        seq(int(digest('x')), int(digest('y')), oct(digest('h')), oct(Buffer.alloc(16, 2))),
      ),
      envelope(
        rsaLeaf,
        '1.2.840.113549.1.7.',
        seq(oid(SAMPLE_OIDS.rsa), nil()),
        seq(oid('2.16.840.1.101.3.4.1.42'), oct(Buffer.alloc(16, 1))),
        Buffer.alloc(256, 3),
      ),
    ],
    messages: [
      message(leaf, '1.2.840.113549.1.7.', '2.16.840.1.101.3.4.2.3', 'sha512', [leaf, sub], [crls[1] ?? Buffer.of()]),
      message(sm2Leaf, '1.2.156.10197.6.1.4.2.', SAMPLE_OIDS.sm3, 'sm3', [sm2Leaf], []),
    ],
  }
}
