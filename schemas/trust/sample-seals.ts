/** Makes electronic seals of both standards, signatures with them and timestamps, right ones and wrong ones, for tests. */
import { createHash } from 'node:crypto'
import {
  bits,
  bool,
  context,
  generalizedTime,
  ia5,
  int,
  nil,
  oct,
  oid,
  printable,
  SAMPLE_OIDS,
  type SampleCertificate,
  seq,
  setOf,
  utcTime,
  utf8,
} from './sample-der.ts'
import type { SealEdition } from './seal-parts.ts'

export type SampleSeal = {
  readonly edition: SealEdition
  readonly maker: SampleCertificate
  readonly holders: readonly SampleCertificate[]
  /** digests in place of certificates, under this name */
  readonly digestType?: string
  readonly version?: number
  readonly header?: string
  readonly createdAt: number
  readonly validFrom: number
  readonly validUntil: number
  readonly criticalExtension?: boolean
  readonly name?: string
}

const PICTURE = seq(ia5('PNG'), oct(Buffer.from('89504e470d0a1a0a', 'hex')), int(40), int(40))
const algorithmOid = (key: SampleCertificate['key']): Buffer => oid(key.kind === 'sm2' ? SAMPLE_OIDS.sm2Sm3 : SAMPLE_OIDS.rsaSha256)
const hashFor = (key: SampleCertificate['key']): string => (key.kind === 'sm2' ? 'sm3' : 'sha256')

export function sampleSeal(what: SampleSeal): Buffer {
  const older = what.edition === 'GM/T 0031-2014'
  const time = older ? utcTime : generalizedTime
  const { digestType } = what
  const certificates = seq(...what.holders.map(({ der }) => oct(der)))
  const hash = hashFor(what.maker.key)
  const list =
    digestType === undefined
      ? certificates
      : seq(...what.holders.map(({ der }) => seq(printable(digestType), oct(createHash(hash).update(der).digest()))))
  const info = seq(
    seq(ia5(what.header ?? 'ES'), int(what.version ?? (older ? 2 : 4)), ia5('SAMPLE')),
    ia5('52000000000001'),
    seq(
      int(1),
      utf8(what.name ?? '示例建设公司公章'),
      ...(older ? [certificates] : [int(digestType === undefined ? 1 : 2), list]),
      time(what.createdAt),
      time(what.validFrom),
      time(what.validUntil),
    ),
    PICTURE,
    ...(what.criticalExtension === undefined
      ? []
      : [context(0, seq(seq(oid('1.2.3.4.5'), bool(what.criticalExtension), oct(utf8('x')))))]),
  )
  const certificate = oct(what.maker.der)
  const algorithm = algorithmOid(what.maker.key)
  if (older) return seq(info, seq(certificate, algorithm, bits(what.maker.key.sign(seq(info, certificate, algorithm)))))
  return seq(info, certificate, algorithm, bits(what.maker.key.sign(info)))
}

export type SampleSealSignature = {
  readonly edition: SealEdition
  readonly seal: Buffer
  readonly signer: SampleCertificate
  readonly at: number
  readonly document: Uint8Array
  readonly version?: number
  /** in place of the time of the older standard */
  readonly timeInfo?: Buffer
  readonly timestamp?: (signature: Uint8Array) => Buffer
}

export function sampleSealSignature(what: SampleSealSignature): Buffer {
  const { key, der } = what.signer
  const older = what.edition === 'GM/T 0031-2014'
  const hash = createHash(hashFor(key)).update(what.document).digest()
  const common = [int(what.version ?? (older ? 2 : 4)), what.seal]
  if (older) {
    const time = what.timeInfo ?? utcTime(what.at)
    const tbs = seq(...common, bits(time), bits(hash), ia5('/Doc_0/Document.xml'), oct(der), algorithmOid(key))
    return seq(tbs, bits(key.sign(tbs)))
  }
  const tbs = seq(...common, generalizedTime(what.at), bits(hash), ia5('/Doc_0/Document.xml'))
  const signature = key.sign(tbs)
  const stamp = what.timestamp === undefined ? [] : [context(0, bits(what.timestamp(signature)))]
  return seq(tbs, oct(der), algorithmOid(key), bits(signature), ...stamp)
}

/** A timestamp (RFC 3161) over bytes. */
export function sampleTimestamp(authority: SampleCertificate, stamped: Uint8Array, at: number): Buffer {
  const { key, der, issuer, serial } = authority
  const hash = hashFor(key)
  const digest = seq(oid(hash === 'sm3' ? SAMPLE_OIDS.sm3 : SAMPLE_OIDS.sha256), nil())
  const info = seq(
    int(1),
    oid('1.2.3.4.1'),
    seq(digest, oct(createHash(hash).update(stamped).digest())),
    int(77),
    generalizedTime(at),
  )
  const type = '1.2.840.113549.1.9.16.1.4'
  const attributes = setOf(
    seq(oid('1.2.840.113549.1.9.3'), setOf(oid(type))),
    seq(oid('1.2.840.113549.1.9.4'), setOf(oct(createHash(hash).update(info).digest()))),
  )
  const inner = attributes.subarray(2)
  const signer = seq(int(1), seq(issuer, serial), digest, context(0, inner), key.algorithm, oct(key.sign(attributes)))
  const signed = seq(int(3), setOf(digest), seq(oid(type), context(0, oct(info))), context(0, der), setOf(signer))
  return seq(oid('1.2.840.113549.1.7.2'), context(0, signed))
}
