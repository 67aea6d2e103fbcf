/**
 * Signatures that a local signer may answer with, a row each: the name by which page, agent and drivers call them, the algorithm of the
 * standard, and which keys make them. ECDSA and SM2 are a DER SEQUENCE of r and s (RFC 3279 §2.2.3, GM/T 0009 §7.3), as certificates
 * carry them.
 */

type SignatureRow = {
  readonly name: string
  /** AlgorithmIdentifier in DER, hexadecimal */
  readonly algorithm: string
  /** OIDs of the key: of its algorithm, and of its curve where it has one */
  readonly key: readonly string[]
}

const RSA = ['1.2.840.113549.1.1.1']
const EC = '1.2.840.10045.2.1'

export const LOGIN_SIGNATURES = [
  { name: 'RS256', algorithm: '300d06092a864886f70d01010b0500', key: RSA },
  { name: 'RS384', algorithm: '300d06092a864886f70d01010c0500', key: RSA },
  { name: 'RS512', algorithm: '300d06092a864886f70d01010d0500', key: RSA },
  { name: 'ES256', algorithm: '300a06082a8648ce3d040302', key: [EC, '1.2.840.10045.3.1.7'] },
  { name: 'ES384', algorithm: '300a06082a8648ce3d040303', key: [EC, '1.3.132.0.34'] },
  { name: 'Ed25519', algorithm: '300506032b6570', key: ['1.3.101.112'] },
  { name: 'SM2SM3', algorithm: '300a06082a811ccf55018375', key: [EC, '1.2.156.10197.1.301'] },
] as const satisfies readonly SignatureRow[]

export type LoginSignatureName = (typeof LOGIN_SIGNATURES)[number]['name']

/** What a signer makes with a key of these OIDs; the first row is the usual one. */
export const signaturesFor = (key: readonly string[]): LoginSignatureName[] =>
  LOGIN_SIGNATURES.filter(row => row.key.every((oid, index) => key[index] === oid)).map(row => row.name)

export const isLoginSignature = (name: unknown): name is LoginSignatureName => LOGIN_SIGNATURES.some(row => row.name === name)
