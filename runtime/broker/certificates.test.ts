import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createCa, issueServerCertificate } from './certificates.ts'
import { keepTlsFiles } from './tls-files.ts'

const NOW = new Date('2026-11-23T08:00:00Z')
const DAY_MS = 86_400_000
const CA = createCa({ name: 'Hutong 测试', now: NOW, days: 3650 })

async function verified(ca: string, certificate: string, at: Date, ...more: string[]): Promise<string> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'hutong-ca-'))
  const [caFile, certFile] = [join(folder.path, 'ca.pem'), join(folder.path, 'cert.pem')]
  await writeFile(caFile, ca)
  await writeFile(certFile, certificate)
  const when = String(Math.floor(at.getTime() / 1000))
  const args = ['verify', '-x509_strict', '-attime', when, '-purpose', 'sslserver', ...more, '-CAfile', caFile, certFile]
  try {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr)
  }
}

test('the openssl command accepts a server certificate strictly, for its names and addresses, and for no other', async () => {
  const { certificate } = issueServerCertificate(CA, { hosts: ['127.0.0.1', 'broker.example.cn'], now: NOW, days: 397 })
  expect(await verified(CA.certificate, certificate, NOW, '-verify_ip', '127.0.0.1')).toMatch(/OK$/)
  expect(await verified(CA.certificate, certificate, NOW, '-verify_hostname', 'broker.example.cn')).toMatch(/OK$/)
  expect(await verified(CA.certificate, certificate, NOW, '-verify_hostname', 'other.example.cn')).toMatch(/mismatch/i)
  expect(await verified(CA.certificate, certificate, new Date(NOW.getTime() + 398 * DAY_MS))).toMatch(/expired/)
})

test('a certificate under another authority of the same name is refused', async () => {
  const other = createCa({ name: 'Hutong 测试', now: NOW, days: 3650 })
  const { certificate } = issueServerCertificate(other, { hosts: ['127.0.0.1'], now: NOW, days: 397 })
  expect(await verified(CA.certificate, certificate, NOW)).toMatch(/error/)
})

test('a server certificate signs no further certificate', async () => {
  const server = issueServerCertificate(CA, { hosts: ['127.0.0.1'], now: NOW, days: 397 })
  expect(new X509Certificate(server.certificate).ca).toBe(false)
  expect(new X509Certificate(CA.certificate).ca).toBe(true)
})

test('an authority that lasts past 2049 is dated as RFC 5280 asks', async () => {
  const ca = createCa({ name: 'long', now: NOW, days: 365 * 40 })
  expect(await verified(ca.certificate, ca.certificate, new Date('2060-01-01T00:00:00Z'), '-check_ss_sig')).not.toMatch(/expired/)
})

test('files are found again, and the server’s is renewed when its names change or its end is near', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'hutong-tls-'))
  const kept = async (hosts: readonly string[], now: Date): Promise<string[]> => {
    const files = await keepTlsFiles(folder.path, { fed: 'test', hosts, now })
    return Promise.all([readFile(files.caFile, 'utf8'), readFile(files.certFile, 'utf8')])
  }
  const [ca, first] = await kept(['127.0.0.1'], NOW)
  expect(await kept(['127.0.0.1'], NOW)).toEqual([ca, first])
  const [sameCa, second] = await kept(['127.0.0.1', 'broker.example.cn'], NOW)
  expect(sameCa).toBe(ca)
  expect(second).not.toBe(first)
  const [, third] = await kept(['127.0.0.1'], new Date(NOW.getTime() + 350 * DAY_MS))
  expect(third).not.toBe(second)
})
