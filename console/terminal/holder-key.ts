/**
 * A holder's key on this machine, out of PEM and PKCS #12 files: RSA, ECDSA and Ed25519 by Node.js, SM2 by our own row. What the page can
 * open it opens the same way, and the older Triple DES besides. Encryption certificates are not offered: their keys prove nothing.
 */
import { createDecipheriv, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ExchangeError } from '../../schemas/errors.ts'
import { type LoginSignatureName, signaturesFor } from '../../schemas/login/signatures.ts'
import { signSm2, sm2PrivateFrom } from '../../schemas/sm2.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import { keyUseOf, nameText } from '../../schemas/trust/verification.ts'
import { type Bytes, elementOf, elementsOf, inside, signatureDer, TAG } from '../login/elements.ts'
import { type ListedCertificate, type SignedLogin, SignerFault } from '../login/signer.ts'
import { keyOidsOf, publicKeyOf, readKeyFiles } from '../login/software-key.ts'

type Signing = { readonly algorithm: LoginSignatureName; sign(bytes: Uint8Array): Uint8Array; readonly publicBits: Uint8Array }
type Held = { readonly certificate: Bytes; readonly signing: Signing }
export type HolderKeys = {
  list(): readonly ListedCertificate[]
  /** With the key of that certificate, or of the only one. @throws SignerFault */
  sign(bytes: Uint8Array, certificate: string | undefined): SignedLogin
}

const HASH: { readonly [algorithm: string]: string | null } = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384', Ed25519: null }

const tripleDes = (key: Bytes, iv: Bytes, data: Bytes): Bytes => {
  const decipher = createDecipheriv('des-ede3-cbc', key, iv)
  return new Uint8Array(Buffer.concat([decipher.update(data), decipher.final()]))
}

const bitsOf = (spki: Bytes): Uint8Array => inside(elementOf(spki, TAG.sequence), 1).content.subarray(1)

/** RFC 5915 §3: the number of an EC key, inside PKCS #8. */
function sm2Signing(pkcs8: Bytes): Signing {
  const inner = inside(elementOf(pkcs8), 2).content
  const d = elementsOf(elementOf(inner, TAG.sequence))[1]
  if (d === undefined) throw new ExchangeError('KEY_FILE_INVALID', 'expected the number of an SM2 key')
  const key = sm2PrivateFrom(d.content)
  return {
    algorithm: 'SM2SM3',
    publicBits: Buffer.from(key.publicHex, 'hex'),
    sign: bytes => signatureDer(signSm2(bytes, key)),
  }
}

function signingOf(pkcs8: Bytes): Signing | null {
  const [algorithm] = signaturesFor(keyOidsOf(pkcs8))
  if (algorithm === undefined) return null
  if (algorithm === 'SM2SM3') return sm2Signing(pkcs8)
  const key: KeyObject = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const spki = new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  return { algorithm, publicBits: bitsOf(spki), sign: bytes => sign(HASH[algorithm] ?? null, bytes, key) }
}

/** @throws KEY_FILE_INVALID, which quotes nothing of the files */
export async function openHolderKeys(paths: readonly string[], password: string): Promise<HolderKeys> {
  const invalid = (reason: string, cause?: unknown): ExchangeError =>
    new ExchangeError('KEY_FILE_INVALID', `${paths.join(', ')}: ${reason}`, cause === undefined ? {} : { cause })
  const files = await Promise.all(paths.map(async path => new Uint8Array(await readFile(path)))).catch((cause: unknown) => {
    throw invalid('the file cannot be read', cause)
  })
  const { keys, certificates } = await readKeyFiles(files, password, tripleDes).catch((error: unknown) => {
    throw invalid(error instanceof SignerFault ? `${error.zh} ${error.en}` : 'expected PEM or PKCS #12')
  })
  const signings = keys.flatMap(key => signingOf(key) ?? [])
  const held = certificates.flatMap((certificate): Held[] => {
    const bits = bitsOf(publicKeyOf(certificate))
    const signing = signings.find(one => Buffer.compare(one.publicBits, bits) === 0)
    return signing === undefined || keyUseOf(parseCertificate(certificate)) === 'encrypt' ? [] : [{ certificate, signing }]
  })
  if (held.length === 0) throw invalid('文件中没有签名证书及其私钥 expected a private key and its signing certificate')
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return {
    list: () =>
      held.map(({ certificate }) => ({
        certificate: base64(certificate),
        label: nameText(parseCertificate(certificate).subject).slice(0, 200),
      })),
    sign(bytes, wanted) {
      const found =
        wanted === undefined && held.length === 1 ? held[0] : held.find(({ certificate }) => base64(certificate) === wanted)
      if (found === undefined) throw new SignerFault('请选择一张证书。', 'Choose one of the certificates.')
      const { certificate, signing } = found
      return {
        certificate: base64(certificate),
        algorithm: signing.algorithm,
        signature: base64(signing.sign(bytes)),
        chain: certificates
          .filter(one => !held.some(other => other.certificate === one))
          .slice(0, 6)
          .map(base64),
      }
    },
  }
}
