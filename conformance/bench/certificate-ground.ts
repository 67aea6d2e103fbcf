/** Certificates for the bench, made by the number: an authority of its own for each algorithm, and as many holders as are asked for. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sm2 } from 'sm-crypto-v2'
import { algorithmRow, SIGNING_ALGORITHM } from '../../schemas/algorithms.ts'
import { createSigner } from '../../schemas/tokens.ts'
import {
  certificate,
  commonName,
  extension,
  p256Key,
  printable,
  type SampleCertificate,
  type SampleKey,
  sm2Key,
} from '../../schemas/trust/sample-der.ts'
import { sm2Numbers } from '../../schemas/trust/signature-algorithms.ts'
import { LIST_TYPES, LOTE_VERSION, sealTrustList, uriOfService, uriOfStatus } from '../../schemas/trust/trust-list.ts'

export const ALGORITHMS = {
  'ECDSA P-256': { make: p256Key, openssl: 'ecdsap256' },
  SM2: { make: sm2Key, openssl: 'sm2' },
} as const
export type AlgorithmName = keyof typeof ALGORITHMS

/** When the bench asks: within the validity of every certificate that it makes. */
export const AT = Date.UTC(2026, 0, 1)

export type Authority = { readonly root: SampleCertificate; readonly ca: SampleCertificate }

export function makeAuthority(algorithm: AlgorithmName): Authority {
  const { make } = ALGORITHMS[algorithm]
  const root = certificate({ subject: commonName('Bench', `${algorithm} root`), key: make(), ca: true })
  return {
    root,
    ca: certificate({ subject: commonName('Bench', `${algorithm} CA`), key: make(), issuer: root, ca: true, serial: 2 }),
  }
}

/** GB/T 35276-like holders: an organisation with its code in an extension. Their keys are made by the hundred and taken in turn. */
export function* makeHolders(algorithm: AlgorithmName, { ca }: Authority, count: number, from = 0): Generator<Buffer> {
  const keys: SampleKey[] = []
  const KEYS = 512
  for (let index = 0; index < count; index += 1) {
    const number = from + index
    const key = keys[index % KEYS] ?? ALGORITHMS[algorithm].make()
    if (keys.length < KEYS) keys.push(key)
    const serial = Buffer.alloc(8)
    serial.writeBigUInt64BE(BigInt(number + 10))
    yield certificate({
      subject: commonName(`某某工程有限公司${number}`, `holder ${number}`),
      key,
      issuer: ca,
      serial: Buffer.concat([Buffer.of(0x10), serial]),
      extensions: [extension('1.2.156.10260.4.1.4', printable(`9153${String(number).padStart(14, '0')}`))],
    }).der
  }
}

/** The parts of a certificate that its issuer's signature covers, and the signature. */
function signedParts(der: Buffer): { readonly tbs: Buffer; readonly signature: Buffer } {
  const element = (at: number): { start: number; end: number } => {
    const first = der[at + 1] ?? 0
    const count = first > 0x7f ? first & 0x7f : 0
    const start = at + 2 + count
    return { start, end: start + (count === 0 ? first : der.readUIntBE(at + 2, count)) }
  }
  const outer = element(0)
  const tbs = element(outer.start)
  const algorithm = element(tbs.end)
  const signature = element(algorithm.end)
  return { tbs: der.subarray(outer.start, tbs.end), signature: der.subarray(signature.start + 1, signature.end) }
}

/**
 * The bare signature check by the library that the product uses, everything that can be made ready before made ready: the key imported,
 * of SM2 its table of points and the digest Z. The certificates are taken apart beforehand too.
 */
export function bareCheck(algorithm: AlgorithmName, { ca }: Authority, holders: readonly Buffer[]): (index: number) => boolean {
  const parts = holders.map(signedParts)
  const at = (index: number) => parts[index % parts.length] ?? { tbs: Buffer.of(), signature: Buffer.of() }
  if (algorithm === 'SM2') {
    const hex = ca.key.spki.subarray(-65).toString('hex')
    const point = sm2.precomputePublicKey(hex)
    const z = sm2.getZ(hex, '1234567812345678')
    const ready = parts.map(({ tbs, signature }) => ({ tbs, numbers: sm2Numbers(signature) ?? '' }))
    return index => {
      const { tbs, numbers } = ready[index % ready.length] ?? { tbs: Buffer.of(), numbers: '' }
      return sm2.doVerifySignature(createHash('sm3').update(z).update(tbs).digest(), numbers, point, { hash: false, der: false })
    }
  }
  const key: KeyObject = createPublicKey({ key: ca.key.spki, format: 'der', type: 'spki' })
  return index => {
    const { tbs, signature } = at(index)
    return verify('sha256', tbs, key, signature)
  }
}

/** With which a node names holders that are persons; here there are none. */
export const PSEUDONYM_KEY: Buffer = Buffer.alloc(32, 1)

const both = (zh: string, en: string) => [
  { lang: 'zh', value: zh },
  { lang: 'en', value: en },
]

/** A list that names the authorities, as a province signs it. */
export async function sealList(authorities: readonly Authority[]): Promise<string> {
  const row = algorithmRow(SIGNING_ALGORITHM)
  if (row === undefined) throw new Error('expected the algorithm that the product signs with')
  const signer = createSigner('bench', row.alg, await row.importPrivate(await row.generate()))
  const service = ({ ca }: Authority) => ({
    ServiceInformation: {
      ServiceTypeIdentifier: uriOfService('ca'),
      ServiceName: both('电子认证', 'certification authority'),
      ServiceDigitalIdentity: { X509Certificates: [{ val: ca.der.toString('base64') }] },
      ServiceStatus: uriOfStatus('granted'),
      StatusStartingTime: '2020-01-01T00:00:00Z',
      ServiceInformationExtensions: [{ HutongCaProfile: { Revocation: 'none' as const } }],
    },
  })
  return sealTrustList(
    {
      fed: 'bench-1',
      iss: '530000',
      lst: '530000',
      mem: 0,
      iat: Math.floor(AT / 1000),
      LoTE: {
        ListAndSchemeInformation: {
          LoTEVersionIdentifier: LOTE_VERSION,
          LoTESequenceNumber: 1,
          LoTEType: LIST_TYPES.list,
          SchemeOperatorName: both('基准', 'bench'),
          SchemeTerritory: '530000',
          ListIssueDateTime: '2025-12-31T00:00:00Z',
          NextUpdate: '2026-06-30T00:00:00Z',
        },
        TrustedEntitiesList: [
          {
            TrustedEntityInformation: { TEName: both('基准', 'bench'), TEInformationExtensions: [{ HutongRegion: '530000' }] },
            TrustedEntityServices: authorities.map(service),
          },
        ],
      },
    },
    signer,
  )
}
