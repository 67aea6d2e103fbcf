/** The broker's certificate and the authority above it, in files: made at the founding, found again, renewed before they end. */
import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ExchangeError } from '../../schemas/errors.ts'
import { readOwnerOnly, writeOnce } from '../keys/owner-only-file.ts'
import { type Certified, createCa, issueServerCertificate } from './certificates.ts'
import type { BrokerTls } from './configuration.ts'

export type TlsFiles = BrokerTls & {
  /** what every program is given; holds no secret */
  readonly caFile: string
}

const CA_DAYS = 3650
const SERVER_DAYS = 397
const RENEW_DAYS = 60
const DAY_MS = 86_400_000
const FILE_MAX_BYTES = 64 * 1024

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, { detail: { path }, ...(cause === undefined ? {} : { cause }) })

async function readPair(certFile: string, keyFile: string): Promise<Certified | null> {
  const certificate = await readFile(certFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw refuse(certFile, 'cannot be read', error)
  })
  if (certificate === null) return null
  return { certificate, key: await readOwnerOnly(keyFile, FILE_MAX_BYTES, (reason, cause) => refuse(keyFile, reason, cause)) }
}

async function replace(path: string, text: string): Promise<void> {
  await rm(`${path}.next`, { force: true })
  await writeOnce(`${path}.next`, text)
  await rename(`${path}.next`, path)
}

/** The key first: a certificate that is there always has its key. */
async function writePair({ certificate, key }: Certified, certFile: string, keyFile: string): Promise<void> {
  await replace(keyFile, key)
  await replace(certFile, certificate)
}

const isGood = ({ certificate }: Certified, ca: Certified, hosts: readonly string[], now: Date): boolean => {
  const x509 = new X509Certificate(certificate)
  const named = hosts.every(host => (x509.subjectAltName ?? '').split(', ').some(one => one.split(':')[1] === host))
  const lasts = x509.validToDate.getTime() - now.getTime() > RENEW_DAYS * DAY_MS
  return named && lasts && x509.verify(new X509Certificate(ca.certificate).publicKey)
}

/** @throws KEY_FILE_INVALID for a key that others can read */
export async function keepTlsFiles(
  folder: string,
  { fed, hosts, now }: { readonly fed: string; readonly hosts: readonly string[]; readonly now: Date },
): Promise<TlsFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = (name: string): string => join(folder, name)
  const [caFile, caKeyFile] = [file('broker-ca.pem'), file('broker-ca.key')]
  const [certFile, keyFile] = [file('broker.pem'), file('broker.key')]
  let ca = await readPair(caFile, caKeyFile)
  if (ca === null) {
    ca = createCa({ name: `Hutong ${fed}`, now, days: CA_DAYS })
    await writePair(ca, caFile, caKeyFile)
  }
  const server = await readPair(certFile, keyFile)
  if (server === null || !isGood(server, ca, hosts, now))
    await writePair(issueServerCertificate(ca, { hosts, now, days: SERVER_DAYS }), certFile, keyFile)
  return { caFile, certFile, keyFile }
}
