/** What tests of the login have in common: authorities and holders of two provinces, and the lists that name them. */
import { join } from 'node:path'
import type { LoginSigner, SignedLogin } from '../../console/login/signer.ts'
import { readClientFile, requestToken } from '../../runtime/http/access/client.ts'
import type { RoleName } from '../../schemas/access/roles.ts'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { draftEntity } from '../../schemas/trust/list-draft.ts'
import {
  certificate,
  commonName,
  crl,
  ed25519Key,
  extension,
  p256Key,
  rsaKey,
  type SampleCertificate,
  type SampleKey,
  type SampleUsage,
  sm2Key,
  utf8,
} from '../../schemas/trust/sample-der.ts'
import type { Bed } from '../membership/bed.ts'
import { signerOf } from './login-browser.ts'

export const VENUE = '530000'
export const HOME = '520000'
export const USCC = makeUscc('520100', 'MA6LOGIN'.replace('I', '1').replace('O', '0'))
const OID_USCC = '1.2.156.10260.4.4'
const OID_IDENTITY = '1.2.156.10260.4.1.1'

const ALGORITHMS = { rsa: 'RS256', p256: 'ES256', ed25519: 'Ed25519', sm2: 'SM2SM3' } as const
export const KEYS = { rsa: rsaKey, p256: p256Key, ed25519: ed25519Key, sm2: sm2Key } as const

export type Holder = { readonly certificate: SampleCertificate; readonly signer: LoginSigner }

/** A signer that holds this key and shows that certificate. */
export const signing = (key: SampleKey, shown: SampleCertificate, change: Partial<SignedLogin> = {}): LoginSigner =>
  signerOf(bytes => ({
    certificate: shown.der.toString('base64'),
    algorithm: ALGORITHMS[key.kind],
    signature: key.sign(bytes).toString('base64'),
    ...change,
  }))

let serial = 1000
export function holderUnder(
  ca: SampleCertificate,
  options: {
    readonly kind?: keyof typeof KEYS
    readonly usages?: readonly SampleUsage[]
    readonly uscc?: string
    readonly identity?: string
  } = {},
): Holder {
  const key = KEYS[options.kind ?? 'p256']()
  serial += 1
  const who =
    options.identity === undefined
      ? extension(OID_USCC, utf8(options.uscc ?? USCC))
      : extension(OID_IDENTITY, utf8(options.identity))
  const made = certificate({
    subject: commonName('贵州示例建设有限公司', '贵州示例建设有限公司'),
    key,
    issuer: ca,
    serial,
    extensions: [who],
    ...(options.usages === undefined ? {} : { usages: options.usages }),
  })
  return { certificate: made, signer: signing(key, made) }
}

export const authorityCalled = (name: string, kind: keyof typeof KEYS = 'p256'): SampleCertificate =>
  certificate({ subject: commonName(name, name), key: KEYS[kind](), ca: true })

const PERIOD = { thisUpdate: Date.now() - 3_600_000, nextUpdate: Date.now() + 86_400_000 }
export const revocations = (ca: SampleCertificate, revoked: readonly SampleCertificate[] = []): Buffer =>
  crl(
    ca,
    revoked.map(({ serial: number }) => ({ serial: number, at: Date.now() - 1_800_000, reason: 1 })),
    PERIOD,
  )

const SINCE = new Date('2020-01-01T00:00:00Z')

/** The list of the holders' province: what it grants, and what it has withdrawn. */
export const listOf = (granted: readonly SampleCertificate[], withdrawn: readonly SampleCertificate[]): object => ({
  TrustedEntitiesList: [
    ...granted.map((ca, index) => entity(`贵州示例电子认证 ${index + 1}`, ca, {})),
    ...withdrawn.map((ca, index) =>
      entity(`贵州已撤电子认证 ${index + 1}`, ca, { status: 'withdrawn', since: new Date('2026-01-01T00:00:00Z') }),
    ),
  ],
})
const entity = (name: string, ca: SampleCertificate, more: object) =>
  draftEntity({
    name: { zh: name, en: name },
    region: HOME,
    services: [{ name: { zh: `${name} 签发`, en: `${name} issuing` }, certificates: [ca.der], since: SINCE, ...more }],
  })

export async function askAs(bed: Bed, code: string, role: RoleName, path: string, body?: object) {
  const file = await readClientFile(join(bed.home, 'secrets', `client-${code}-${role}.json`))
  const { url } = bed.node(code)
  const { token } = await requestToken(url, file)
  const answer = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as { readonly [name: string]: unknown } }
}

/** Brings revocation lists in, as an administrator would from a folder. */
export async function importCrls(bed: Bed, code: string, lists: readonly Buffer[]): Promise<void> {
  const file = await readClientFile(join(bed.home, 'secrets', `client-${code}-system-administrator.json`))
  const { url } = bed.node(code)
  const { token } = await requestToken(url, file)
  const answer = await fetch(`${url}/v1/certificates`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    body: lists.map((list, index) => `${JSON.stringify({ place: `${index}.crl`, data: list.toString('base64') })}\n`).join(''),
  })
  const text = await answer.text()
  if (!answer.ok || text.includes('quarantined":1')) throw new Error(text)
}
