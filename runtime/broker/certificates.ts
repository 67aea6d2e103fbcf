/**
 * The federation's own certification authority for the way to its broker, and the server certificates under it: P-256 with SHA-256, in
 * the profile of RFC 5280. Node makes keys and signatures but no certificates, and this one profile is short; whoever has a CA of
 * their own gives its files instead.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { isIP } from 'node:net'

/** PEM */
export type Certified = { readonly certificate: string; readonly key: string }

const DAY_MS = 86_400_000
/** Clocks differ; a certificate is good from a little before it was made. */
const BACKDATED_MS = 3_600_000

/** X.690: tag, length, content. */
const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts)
  const { length } = content
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...octets]), content])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const oid = (text: string): Buffer => {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const arcs = rest.flatMap(arc => {
    const septets = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80)
    return septets
  })
  return der(0x06, Buffer.from([first * 40 + second, ...arcs]))
}
const octets = (content: Uint8Array): Buffer => der(0x04, content)
const TRUE = der(0x01, Buffer.from([0xff]))
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
/** RFC 5280 section 4.1.2.5: two-digit years until 2049 */
const time = (at: Date): Buffer => {
  const digits = at.toISOString().replace(/[-:T]|\.\d+/g, '')
  return at.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}
const commonName = (name: string): Buffer => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))))
const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(id), ...(critical ? [TRUE] : []), octets(value))

const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })
/** RFC 5280 section 4.2.1.2, method 1: the bits of an uncompressed point, 65 bytes, are the end of the structure */
const keyIdentifier = (key: KeyObject): Buffer => createHash('sha1').update(spkiOf(key).subarray(-65)).digest()

/** RFC 5280 section 4.2.1.6 */
const alternativeName = (host: string): Buffer => {
  if (isIP(host) === 4) return der(0x87, Buffer.from(host.split('.').map(Number)))
  if (isIP(host) !== 0) throw new TypeError('an address of IPv6 stands in no certificate here; give a name')
  return der(0x82, Buffer.from(host, 'ascii'))
}

type Plan = {
  readonly subject: string
  readonly issuer: string
  readonly key: KeyObject
  readonly signer: KeyObject
  readonly now: Date
  readonly days: number
  readonly extensions: readonly Uint8Array[]
}

/** RFC 5280 section 4.1 */
function certify({ subject, issuer, key, signer, now, days, extensions }: Plan): Certified {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const identifiers = [
    extension('2.5.29.14', false, octets(keyIdentifier(key))),
    extension('2.5.29.35', false, sequence(der(0x80, keyIdentifier(signer)))),
  ]
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ECDSA_SHA256,
    commonName(issuer),
    sequence(time(new Date(now.getTime() - BACKDATED_MS)), time(new Date(now.getTime() + days * DAY_MS))),
    commonName(subject),
    spkiOf(key),
    der(0xa3, sequence(...extensions, ...identifiers)),
  )
  const signature = sign('sha256', tbs, signer)
  const whole = sequence(tbs, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature))
  return { certificate: new X509Certificate(whole).toString(), key: String(key.export({ type: 'pkcs8', format: 'pem' })) }
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

/** A root that signs server certificates only, and no further authority. */
export function createCa({ name, now, days }: { readonly name: string; readonly now: Date; readonly days: number }): Certified {
  const key = newKey()
  const extensions = [
    extension('2.5.29.19', true, sequence(TRUE, der(0x02, Buffer.from([0])))),
    // keyCertSign, cRLSign
    extension('2.5.29.15', true, der(0x03, Buffer.from([1, 0x06]))),
  ]
  return certify({ subject: name, issuer: name, key, signer: key, now, days, extensions })
}

/** For a server at the given names and IPv4 addresses. */
export function issueServerCertificate(
  ca: Certified,
  { hosts, now, days }: { readonly hosts: readonly string[]; readonly now: Date; readonly days: number },
): Certified {
  const issuer = new X509Certificate(ca.certificate).subject.replace(/^CN=/, '')
  const extensions = [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature
    extension('2.5.29.15', true, der(0x03, Buffer.from([7, 0x80]))),
    // serverAuth
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...hosts.map(alternativeName))),
  ]
  const signer = createPrivateKey(ca.key)
  return certify({ subject: hosts[0] ?? 'broker', issuer, key: newKey(), signer, now, days, extensions })
}
