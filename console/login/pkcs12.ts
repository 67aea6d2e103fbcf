/**
 * Keys and certificates out of a PKCS #12 file (RFC 7292), or out of an encrypted PKCS #8 key (RFC 5958). Written here because the page
 * loads nothing that was made elsewhere. What WebCrypto has is opened by it: PBES2 with PBKDF2 and AES-CBC (RFC 8018). The older Triple DES
 * it does not have; a caller that has a cipher for it (the local signer) hands it in.
 */
import { type Bytes, concat, type Element, elementOf, elementsOf, inside, numberOf, oidOf, TAG } from './elements.ts'
import { SignerFault } from './signer.ts'

/** PKCS #8 and X.509, in DER. */
export type KeyStore = { readonly keys: readonly Bytes[]; readonly certificates: readonly Bytes[] }
/** Triple DES in CBC mode with PKCS #7 padding. */
export type OldCipher = (key: Bytes, iv: Bytes, data: Bytes) => Bytes

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  sha1TripleDes: '1.2.840.113549.1.12.1.3',
} as const
const HASHES: { readonly [oid: string]: { readonly name: string; readonly length: number; readonly block: number } } = {
  '1.3.14.3.2.26': { name: 'SHA-1', length: 20, block: 64 },
  '2.16.840.1.101.3.4.2.1': { name: 'SHA-256', length: 32, block: 64 },
  '2.16.840.1.101.3.4.2.2': { name: 'SHA-384', length: 48, block: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'SHA-512', length: 64, block: 128 },
}
const PRFS: { readonly [oid: string]: string } = {
  '1.2.840.113549.2.7': 'SHA-1',
  '1.2.840.113549.2.9': 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
}
const CIPHERS: { readonly [oid: string]: number } = {
  '2.16.840.1.101.3.4.1.2': 128,
  '2.16.840.1.101.3.4.1.22': 192,
  '2.16.840.1.101.3.4.1.42': 256,
}
/** A file may ask for any number of rounds; past this it is meant to keep a browser busy. */
const ROUNDS_MAX = 10_000_000

const unsupported = (): SignerFault =>
  new SignerFault(
    '此文件的加密方式浏览器无法处理，请改用本机签名程序（hutong certificate signer）。',
    'The browser cannot open this kind of encryption; use the signer on this machine (hutong certificate signer).',
  )
const wrong = (): SignerFault => new SignerFault('口令错误，或文件已损坏。', 'The password is wrong, or the file is damaged.')

const roundsOf = (element: Element): number => {
  const rounds = numberOf(element)
  if (rounds < 1 || rounds > ROUNDS_MAX) throw unsupported()
  return rounds
}

async function openPbes2(parameters: Element, data: Bytes, password: string): Promise<Bytes> {
  const [derivation, cipher] = elementsOf(parameters)
  if (derivation === undefined || cipher === undefined || oidOf(inside(derivation, 0)) !== OID.pbkdf2) throw unsupported()
  const [salt, rounds, ...rest] = elementsOf(inside(derivation, 1))
  const bits = CIPHERS[oidOf(inside(cipher, 0))]
  const prf = rest.find(one => one.tag === TAG.sequence)
  const hash = prf === undefined ? 'SHA-1' : PRFS[oidOf(inside(prf, 0))]
  if (salt === undefined || rounds === undefined || bits === undefined || hash === undefined) throw unsupported()
  const secret = await crypto.subtle.importKey('raw', new TextEncoder().encode(password), 'PBKDF2', false, ['deriveKey'])
  const key = await crypto.subtle.deriveKey(
    { name: 'PBKDF2', hash, salt: salt.content, iterations: roundsOf(rounds) },
    secret,
    { name: 'AES-CBC', length: bits },
    false,
    ['decrypt'],
  )
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-CBC', iv: inside(cipher, 1).content }, key, data))
  } catch {
    throw wrong()
  }
}

/** RFC 7292 appendix B.2: key (1), IV (2) or MAC key (3) from a password. */
async function derive(
  hash: { readonly name: string; readonly length: number; readonly block: number },
  given: { readonly password: string; readonly salt: Bytes; readonly rounds: number },
  id: 1 | 2 | 3,
  length: number,
): Promise<Bytes> {
  const { name, block } = hash
  const filled = (source: Bytes): Bytes =>
    source.length === 0
      ? source
      : Uint8Array.from({ length: block * Math.ceil(source.length / block) }, (_, index) => source[index % source.length] ?? 0)
  const letters = Uint8Array.from(
    [...`${given.password}\0`].flatMap(letter => {
      const units: number[] = []
      for (let index = 0; index < letter.length; index += 1)
        units.push(letter.charCodeAt(index) >> 8, letter.charCodeAt(index) & 0xff)
      return units
    }),
  )
  const input = concat(filled(given.salt), filled(letters))
  let made = new Uint8Array(0)
  while (made.length < length) {
    let digest: Bytes = concat(new Uint8Array(block).fill(id), input)
    for (let round = 0; round < given.rounds; round += 1) digest = new Uint8Array(await crypto.subtle.digest(name, digest))
    made = concat(made, digest)
    const added = Uint8Array.from({ length: block }, (_, index) => digest[index % digest.length] ?? 0)
    for (let from = 0; from < input.length; from += block) {
      let carry = 1
      for (let index = block - 1; index >= 0; index -= 1) {
        const sum = (input[from + index] ?? 0) + (added[index] ?? 0) + carry
        input[from + index] = sum & 0xff
        carry = sum >> 8
      }
    }
  }
  return made.slice(0, length)
}

const SHA1 = { name: 'SHA-1', length: 20, block: 64 }

async function openEncrypted(algorithm: Element, data: Bytes, password: string, old: OldCipher | null): Promise<Bytes> {
  const oid = oidOf(inside(algorithm, 0))
  const parameters = inside(algorithm, 1)
  if (oid === OID.pbes2) return openPbes2(parameters, data, password)
  if (oid !== OID.sha1TripleDes || old === null) throw unsupported()
  const given = { password, salt: inside(parameters, 0).content, rounds: roundsOf(inside(parameters, 1)) }
  try {
    return old(await derive(SHA1, given, 1, 24), await derive(SHA1, given, 2, 8), data)
  } catch {
    throw wrong()
  }
}

/** EncryptedPrivateKeyInfo (RFC 5958 §3) as PKCS #8. */
export const openKey = (der: Bytes, password: string, old: OldCipher | null = null): Promise<Bytes> => {
  const [algorithm, data] = elementsOf(elementOf(der, TAG.sequence))
  if (algorithm === undefined || data === undefined) throw wrong()
  return openEncrypted(algorithm, data.content, password, old)
}

/** The octets of an OCTET STRING, which may come in pieces. */
const octetsOf = (element: Element): Bytes =>
  (element.tag & 0x20) === 0 ? element.content : concat(...elementsOf(element).map(piece => piece.content))

/** RFC 7292 §4: whoever changed the file would have to know the password. */
async function checkMac(mac: Element, content: Bytes, password: string): Promise<void> {
  const hash = HASHES[oidOf(inside(mac, 0, 0, 0))]
  if (hash === undefined) throw unsupported()
  const rounds = elementsOf(mac)[2]
  const given = { password, salt: inside(mac, 1).content, rounds: rounds === undefined ? 1 : roundsOf(rounds) }
  const secret = await derive(hash, given, 3, hash.length)
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: hash.name }, false, ['verify'])
  if (!(await crypto.subtle.verify('HMAC', key, inside(mac, 0, 1).content, content))) throw wrong()
}

export async function openPkcs12(file: Bytes, password: string, old: OldCipher | null = null): Promise<KeyStore> {
  const [, safe, mac] = elementsOf(elementOf(file, TAG.sequence))
  if (safe === undefined || oidOf(inside(safe, 0)) !== OID.data || mac === undefined) throw unsupported()
  const content = octetsOf(inside(safe, 1, 0))
  await checkMac(mac, content, password)
  const keys: Bytes[] = []
  const certificates: Bytes[] = []
  for (const info of elementsOf(elementOf(content, TAG.sequence))) {
    const oid = oidOf(inside(info, 0))
    let bags: Bytes
    if (oid === OID.data) bags = octetsOf(inside(info, 1, 0))
    else if (oid === OID.encryptedData) {
      const [, algorithm, data] = elementsOf(inside(info, 1, 0, 1))
      if (algorithm === undefined || data === undefined) throw unsupported()
      bags = await openEncrypted(algorithm, octetsOf(data), password, old)
    } else continue
    for (const bag of elementsOf(elementOf(bags, TAG.sequence))) {
      const kind = oidOf(inside(bag, 0))
      if (kind === OID.keyBag) keys.push(inside(bag, 1, 0).whole.slice())
      else if (kind === OID.shroudedKeyBag) keys.push(await openKey(inside(bag, 1, 0).whole.slice(), password, old))
      else if (kind === OID.certBag && oidOf(inside(bag, 1, 0, 0)) === OID.x509)
        certificates.push(octetsOf(inside(bag, 1, 0, 1, 0)).slice())
    }
  }
  return { keys, certificates }
}
