/**
 * Login with certificates in the demo: each province's sample trading system is a client of the login of its node, and each province
 * has a company whose certificate its sample authority has issued. So the company of one can be logged in at the system of another.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { LOGIN_SCOPES } from '../../schemas/login/scopes.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import {
  certificate,
  commonName,
  extension,
  oid,
  p256Key,
  pem,
  privatePem,
  SAMPLE_OIDS,
  type SampleCertificate,
  seq,
  utf8,
} from '../../schemas/trust/sample-der.ts'
import type { MemberPlan } from './members.ts'
import { prepareSampleAuthority, type SampleAuthority } from './sample-trust.ts'
import { writeOwnerOnly } from './secrets.ts'

const DAY_MS = 86_400_000
/** GM/T 0015-2023: where the unified social credit code stands */
const OID_USCC = '1.2.156.10260.4.4'

export const loginName = (code: string): string => `login-${code}`
export const loginClientId = (code: string): string => `samples-${code}`
export const holderFile = (secretsDir: string, code: string): string => join(secretsDir, `holder-${code}.pem`)
/** A company of that province, made up, with a code whose checks are right. */
export const sampleUscc = (code: string): string => makeUscc(code.endsWith('0000') ? `${code.slice(0, 2)}0100` : code, 'MA6DEM00')

/** What node and samples agree on; nothing in it is a secret. */
export async function prepareLoginClients(secretsDir: string, { code, zh, en }: MemberPlan, redirectUri: string): Promise<string> {
  const client = {
    id: loginClientId(code),
    zh: `${zh}样例交易系统`,
    en: `Sample trading system of ${en}`,
    redirect_uris: [redirectUri],
    scopes: LOGIN_SCOPES.map(({ name }) => name),
  }
  const path = join(secretsDir, `login-clients-${code}.json`)
  await writeOwnerOnly(path, `${JSON.stringify([client], null, 2)}\n`)
  return path
}

/** The authority as an issuer: its certificate, and a key that signs. */
function issuerOf({ certificate: text, key }: SampleAuthority): SampleCertificate {
  const der = Buffer.from(text.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
  const { subject, issuer, serial } = parseCertificate(der)
  const privateKey = createPrivateKey(key)
  return {
    der,
    subject: Buffer.from(subject.der),
    issuer: Buffer.from(issuer.der),
    serial: Buffer.from(serial, 'hex'),
    key: {
      kind: 'p256',
      spki: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
      pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }),
      algorithm: seq(oid(SAMPLE_OIDS.ecdsaSha256)),
      sign: message => sign('sha256', message, privateKey),
    },
  }
}

/** Key and certificate of the province's company in one PEM file, made once. */
export async function prepareSampleHolder(secretsDir: string, member: MemberPlan): Promise<string> {
  const path = holderFile(secretsDir, member.code)
  const there = await access(path).then(
    () => true,
    () => false,
  )
  if (there) return path
  const issuer = issuerOf(await prepareSampleAuthority(secretsDir, member))
  const key = p256Key()
  const name = `${member.zh}示例建设有限公司`
  const now = Date.now()
  const { der } = certificate({
    subject: commonName(name, name),
    key,
    issuer,
    serial: Buffer.concat([Buffer.of(1), randomBytes(15)]),
    notBefore: now - DAY_MS,
    notAfter: now + 365 * DAY_MS,
    extensions: [extension(OID_USCC, utf8(sampleUscc(member.code)))],
  })
  await writeOwnerOnly(path, `${privatePem(key)}${pem('CERTIFICATE', der)}`)
  return path
}
