import { verify as verifyWith, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatLoginStatement, type LoginStatement, loginBytes } from '../../schemas/login/statement.ts'
import { parseCertificate } from '../../schemas/trust/certificate.ts'
import {
  certificate,
  commonName,
  p256Key,
  pem,
  privatePem,
  rsaKey,
  type SampleKey,
  sm2Key,
} from '../../schemas/trust/sample-der.ts'
import { verifySignature } from '../../schemas/trust/signature-algorithms.ts'
import { OLD_PKCS12 } from '../login/sample-key-files.ts'
import { openHolderKeys } from './holder-key.ts'
import { checkStatement, startSigner } from './signer.ts'

const PAGE = 'https://login.example.cn'
const NOW = new Date()
const statement = (change: Partial<LoginStatement> = {}): string =>
  formatLoginStatement({
    issuer: PAGE,
    client: 'shop',
    nonce: 'n'.repeat(43),
    issued: NOW,
    expires: new Date(NOW.getTime() + 300_000),
    ...change,
  })

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-signer-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function fileOf(
  key: SampleKey,
  usages: readonly ('digitalSignature' | 'keyEncipherment')[] = ['digitalSignature'],
): Promise<string> {
  const made = certificate({ subject: commonName('某公司', '某公司'), key, usages })
  const path = join(folder, `${key.kind}.pem`)
  await writeFile(path, `${privatePem(key)}${pem('CERTIFICATE', made.der)}`)
  return path
}

describe('the keys of a holder', () => {
  it.each(['rsa', 'p256'] as const)('sign with %s, as Node.js verifies', async kind => {
    const keys = await openHolderKeys([await fileOf(kind === 'rsa' ? rsaKey() : p256Key())], '')
    const { certificate: shown, signature } = keys.sign(loginBytes(statement()), undefined)
    const { publicKey } = new X509Certificate(Buffer.from(shown, 'base64'))
    expect(verifyWith('sha256', loginBytes(statement()), publicKey, Buffer.from(signature, 'base64'))).toBe(true)
  })

  it('sign with SM2 and SM3', async () => {
    const keys = await openHolderKeys([await fileOf(sm2Key())], '')
    const { certificate: shown, algorithm, signature } = keys.sign(loginBytes(statement()), undefined)
    const result = verifySignature({
      algorithm: { oid: '1.2.156.10197.1.501' },
      key: parseCertificate(Buffer.from(shown, 'base64')).key,
      message: loginBytes(statement()),
      signature: Buffer.from(signature, 'base64'),
    })
    expect([algorithm, result]).toEqual(['SM2SM3', 'good'])
  })

  it('come out of PKCS #12 too, the older Triple DES included, and out of nothing else with the wrong password', async () => {
    const path = join(folder, 'old.p12')
    await writeFile(path, Buffer.from(OLD_PKCS12, 'base64'))
    const keys = await openHolderKeys([path], 'secret')
    const { certificate: shown, signature } = keys.sign(loginBytes(statement()), undefined)
    const { publicKey } = new X509Certificate(Buffer.from(shown, 'base64'))
    expect(verifyWith('sha256', loginBytes(statement()), publicKey, Buffer.from(signature, 'base64'))).toBe(true)
    await expect(openHolderKeys([path], 'wrong')).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
    await expect(openHolderKeys([join(folder, 'none')], '')).rejects.toMatchObject({ code: 'KEY_FILE_INVALID' })
  })

  it('are not those of an encryption certificate', async () => {
    await expect(openHolderKeys([await fileOf(p256Key(), ['keyEncipherment'])], '')).rejects.toMatchObject({
      code: 'KEY_FILE_INVALID',
    })
  })

  it('are chosen by their certificate where there are several', async () => {
    const keys = await openHolderKeys([await fileOf(rsaKey()), await fileOf(p256Key())], '')
    const [first, second] = keys.list()
    expect([first?.label, second?.label]).toEqual([expect.stringContaining('某公司'), expect.stringContaining('某公司')])
    expect(() => keys.sign(loginBytes(statement()), undefined)).toThrow('Choose one')
    expect(keys.sign(loginBytes(statement()), second?.certificate).algorithm).toBe('ES256')
  })
})

describe('the signer on this machine', () => {
  const asked: LoginStatement[] = []
  const start = async (allowed = true) => {
    asked.splice(0)
    const keys = await openHolderKeys([await fileOf(p256Key())], '')
    const confirm = async (one: LoginStatement): Promise<boolean> => {
      asked.push(one)
      return allowed
    }
    return startSigner({ keys, port: 0, origins: [PAGE], confirm })
  }
  const ask = async (port: number, path: string, init: RequestInit = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { origin: PAGE }, ...init })
    return {
      status: answer.status,
      headers: answer.headers,
      body: (await answer.json().catch(() => ({}))) as { [name: string]: unknown },
    }
  }
  const sign = (port: number, text: string, origin = PAGE) =>
    ask(port, '/v1/signatures', { method: 'POST', headers: { origin }, body: JSON.stringify({ statement: text }) })

  it('lists and signs for the page that it was told of, after asking', async () => {
    await using signer = await start()
    expect(((await ask(signer.port, '/v1/certificates')).body.certificates as object[]).length).toBe(1)
    const { status, headers, body } = await sign(signer.port, statement())
    expect([status, body.algorithm, headers.get('access-control-allow-origin')]).toEqual([200, 'ES256', PAGE])
    expect(asked.map(({ client }) => client)).toEqual(['shop'])
  })

  it('answers the preflight of that page, a private network included, and of no other', async () => {
    await using signer = await start()
    const preflight = (origin: string) => ask(signer.port, '/v1/signatures', { method: 'OPTIONS', headers: { origin } })
    const { status, headers } = await preflight(PAGE)
    expect([status, headers.get('access-control-allow-private-network')]).toEqual([204, 'true'])
    const other = await preflight('https://evil.example.cn')
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  it('signs nothing for another site, without an origin, under another name, or that is no login of now', async () => {
    await using signer = await start()
    expect((await sign(signer.port, statement(), 'https://evil.example.cn')).body.code).toBe('SIGNER_REFUSED')
    expect((await ask(signer.port, '/v1/certificates', { headers: {} })).body.code).toBe('SIGNER_REFUSED')
    expect((await sign(signer.port, statement({ issuer: 'https://evil.example.cn' }))).body.code).toBe('SIGNER_REFUSED')
    const renamed = httpRequest({
      port: signer.port,
      host: '127.0.0.1',
      path: '/v1/certificates',
      headers: { host: 'evil.example.cn', origin: PAGE },
    })
    const [answer] = (await once(renamed.end(), 'response')) as [IncomingMessage]
    expect(answer.resume().statusCode).toBe(403)
    expect((await sign(signer.port, 'anything else')).body.code).toBe('LOGIN_STATEMENT_INVALID')
    expect((await sign(signer.port, 'x'.repeat(70_000))).body.code).toBe('REQUEST_TOO_LARGE')
    expect(asked).toEqual([])
    const ended = { issued: new Date(NOW.getTime() - 600_000), expires: new Date(NOW.getTime() - 300_000) }
    expect(() => checkStatement(statement(ended), PAGE, NOW)).toThrow(/SIGNER_REFUSED/)
  })

  it('signs nothing that its user does not agree to', async () => {
    await using signer = await start(false)
    const { status, body } = await sign(signer.port, statement())
    expect([status, body.code]).toEqual([403, 'SIGNER_REFUSED'])
    expect(body.signature).toBeUndefined()
  })
})
