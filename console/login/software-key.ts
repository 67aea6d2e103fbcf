/**
 * A key in software, used by WebCrypto: out of a PEM, PKCS #8 or PKCS #12 file that the holder chooses, or one that the browser keeps. The
 * file is read in the page and goes nowhere; the key is imported so that nothing can take it out again.
 */
import { signaturesFor } from '../../schemas/login/signatures.ts'
import {
  type Bytes,
  type Element,
  elementOf,
  elementsOf,
  fromBase64,
  inside,
  oidOf,
  signatureDer,
  TAG,
  toBase64,
  write,
} from './elements.ts'
import { type KeyStore, type OldCipher, openKey, openPkcs12 } from './pkcs12.ts'
import { type LoginSigner, type SignedLogin, SignerFault } from './signer.ts'

type Use = {
  readonly key: { readonly name: string; readonly hash?: string; readonly namedCurve?: string }
  readonly sign: { readonly name: string; readonly hash?: string }
  /** bytes of a signature that comes as r and s, one behind the other */
  readonly halves: boolean
}
/** What WebCrypto can sign with; SM2 it cannot. */
const USES: { readonly [name: string]: Use } = {
  RS256: { key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, sign: { name: 'RSASSA-PKCS1-v1_5' }, halves: false },
  ES256: { key: { name: 'ECDSA', namedCurve: 'P-256' }, sign: { name: 'ECDSA', hash: 'SHA-256' }, halves: true },
  ES384: { key: { name: 'ECDSA', namedCurve: 'P-384' }, sign: { name: 'ECDSA', hash: 'SHA-384' }, halves: true },
  Ed25519: { key: { name: 'Ed25519' }, sign: { name: 'Ed25519' }, halves: false },
}

const FILE_MAX_BYTES = 1_048_576

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** A key that cannot leave, and the certificates that came with it. */
export type HeldKey = { readonly algorithm: string; readonly key: CryptoKey; readonly certificates: readonly Bytes[] }

/** Algorithm and curve of an AlgorithmIdentifier. */
const oidsOf = (algorithm: Element): string[] =>
  elementsOf(algorithm)
    .filter(one => one.tag === TAG.oid)
    .map(oidOf)

/** The bytes of a PEM block, by its label. */
function pemBlocks(text: string): { readonly label: string; readonly der: Bytes }[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g)
  return [...blocks].map(([, label = '', body = '']) => ({ label, der: fromBase64(body) }))
}

const INTEGER_ZERO = Uint8Array.of(TAG.integer, 1, 0)
const RSA_ALGORITHM = Uint8Array.from([0x30, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0])
const EC_OID = Uint8Array.from([6, 7, 42, 134, 72, 206, 61, 2, 1])

/** Keys of the forms that came before PKCS #8 (RFC 8017 A.1.2, RFC 5915), put into it. */
const WRAPPED: { readonly [label: string]: (der: Bytes) => Bytes } = {
  'PRIVATE KEY': der => der,
  'RSA PRIVATE KEY': der => write(TAG.sequence, INTEGER_ZERO, RSA_ALGORITHM, write(TAG.octets, der)),
  'EC PRIVATE KEY': der => {
    const curve = elementsOf(elementOf(der)).find(one => one.tag === 0xa0)
    if (curve === undefined) throw new SignerFault('密钥文件未写明椭圆曲线。', 'The key file does not name its curve.')
    return write(TAG.sequence, INTEGER_ZERO, write(TAG.sequence, EC_OID, curve.content), write(TAG.octets, der))
  },
}

async function fromPem(text: string, password: string, old: OldCipher | null): Promise<KeyStore> {
  const keys: Bytes[] = []
  const certificates: Bytes[] = []
  for (const { label, der } of pemBlocks(text)) {
    if (label === 'CERTIFICATE') certificates.push(der)
    else if (label === 'ENCRYPTED PRIVATE KEY') keys.push(await openKey(der, password, old))
    else if (WRAPPED[label] !== undefined) keys.push(WRAPPED[label](der))
  }
  return { keys, certificates }
}

/** Keys and certificates of the files that the holder chose. @throws SignerFault */
export async function readKeyFiles(files: readonly Bytes[], password: string, old: OldCipher | null = null): Promise<KeyStore> {
  const stores: KeyStore[] = []
  for (const file of files) {
    if (file.length > FILE_MAX_BYTES) throw new SignerFault('文件过大。', 'The file is too large.')
    const text = new TextDecoder('latin1').decode(file)
    if (text.includes('-----BEGIN ')) stores.push(await fromPem(text, password, old))
    else if (elementOf(file, TAG.sequence) && inside(elementOf(file), 0).tag === TAG.integer)
      stores.push(await openPkcs12(file, password, old))
    else stores.push({ keys: [], certificates: [file] })
  }
  return { keys: stores.flatMap(({ keys }) => keys), certificates: stores.flatMap(({ certificates }) => certificates) }
}

export const keyOidsOf = (pkcs8: Bytes): string[] => oidsOf(inside(elementOf(pkcs8, TAG.sequence), 1))

/** SubjectPublicKeyInfo of a certificate (RFC 5280 §4.1). */
export function publicKeyOf(certificate: Bytes): Bytes {
  const fields = elementsOf(inside(elementOf(certificate, TAG.sequence), 0))
  const key = fields[fields[0]?.tag === 0xa0 ? 6 : 5]
  if (key === undefined) throw new SignerFault('证书已损坏。', 'The certificate is damaged.')
  return key.whole.slice()
}

/** @throws SignerFault for a key that WebCrypto cannot use */
export async function holdKey({ keys, certificates }: KeyStore): Promise<HeldKey> {
  const [pkcs8] = keys
  if (pkcs8 === undefined) throw new SignerFault('所选文件中没有私钥。', 'The files that you chose hold no private key.')
  if (certificates.length === 0)
    throw new SignerFault('所选文件中没有证书，请一并选择证书文件。', 'The files hold no certificate; choose its file as well.')
  const algorithm = signaturesFor(keyOidsOf(pkcs8)).find(name => USES[name] !== undefined)
  const use = USES[algorithm ?? '']
  if (algorithm === undefined || use === undefined)
    throw new SignerFault(
      '浏览器不支持此类密钥（如 SM2），请改用本机签名程序或证书介质。',
      'The browser cannot sign with this kind of key (SM2, for one); use the signer on this machine or your device.',
    )
  return { algorithm, key: await crypto.subtle.importKey('pkcs8', pkcs8, use.key, false, ['sign']), certificates }
}

/** The certificate that the key belongs to, whichever stands first in the file. */
async function ownCertificate({ algorithm, certificates }: HeldKey, bytes: Bytes, raw: Bytes): Promise<Bytes> {
  const use = USES[algorithm]
  for (const certificate of certificates) {
    const spki = publicKeyOf(certificate)
    const holds = async (): Promise<boolean> => {
      if (use === undefined) return false
      const key = await crypto.subtle.importKey('spki', spki, use.key, false, ['verify'])
      return crypto.subtle.verify(use.sign, key, raw, bytes)
    }
    if (await holds().catch(() => false)) return certificate
  }
  throw new SignerFault('私钥与证书不是一对。', 'The private key does not belong to any of the certificates.')
}

/** Signs with a key that WebCrypto holds. */
export function webCryptoSigner(
  held: HeldKey,
  name: { readonly id: string; readonly zh: string; readonly en: string },
): LoginSigner {
  return {
    ...name,
    async sign({ bytes: given }): Promise<SignedLogin> {
      const use = USES[held.algorithm]
      if (use === undefined) throw new SignerFault('不支持的算法。', 'The algorithm is not supported.')
      const bytes = given.slice()
      const raw = new Uint8Array(await crypto.subtle.sign(use.sign, held.key, bytes))
      const own = await ownCertificate(held, bytes, raw)
      return {
        certificate: toBase64(own),
        algorithm: held.algorithm as SignedLogin['algorithm'],
        signature: toBase64(use.halves ? signatureDer(raw) : raw),
        chain: held.certificates.filter(one => one !== own).map(toBase64),
      }
    },
  }
}
