import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { algorithmRow } from './algorithms.ts'
import { generateSm2, importSm2Private, importSm2Public, signSm2, verifySm2 } from './sm2.ts'

const folder = mkdtempSync(join(tmpdir(), 'hutong-sm2-'))
afterAll(() => rmSync(folder, { recursive: true }))
const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
const available = (() => {
  try {
    return openssl('list', '-public-key-algorithms').toString().includes('SM2')
  } catch {
    return false
  }
})()
if (!available) process.stderr.write('sm2.test.ts: no openssl with SM2 on this machine; the comparison with it is skipped\n')

const message = Buffer.from('互通 hutong')
const id = ['-pkeyopt', 'distid:1234567812345678'] as const

/** SEQUENCE of two INTEGERs (GM/T 0009 §7.3) and r ‖ s. */
const integer = (octets: Buffer): Buffer => {
  const short = octets.subarray(octets.findIndex(byte => byte !== 0))
  const value = (short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), short]) : short
  return Buffer.concat([Buffer.of(2, value.length), value])
}
const toDer = (raw: Buffer): Buffer => {
  const inner = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, inner.length), inner])
}
const fromDer = (der: Buffer): Buffer => {
  const r = der.subarray(4, 4 + (der[3] ?? 0))
  const s = der.subarray(6 + r.length)
  return Buffer.concat([r, s].map(one => Buffer.from(one.toString('hex').padStart(66, '0').slice(-64), 'hex')))
}
/** PKCS #8 with the scalar and the point of a key: what the command reads (RFC 5208, RFC 5915). */
const pkcs8 = ({ x, y, d }: { x: string; y: string; d: string }): string => {
  const octets = (text: string): string => Buffer.from(text, 'base64url').toString('hex')
  const ec = `306b0201010420${octets(d)}a14403420004${octets(x)}${octets(y)}`
  const der = Buffer.from(`308187020100301306072a8648ce3d020106082a811ccf5501822d046d${ec}`, 'hex')
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

describe.skipIf(!available)('SM2 with SM3, held against the openssl command', () => {
  const key = generateSm2()
  writeFileSync(join(folder, 'key.pem'), pkcs8(key))
  writeFileSync(join(folder, 'message'), message)

  it('accepts a signature that the command made', () => {
    for (let round = 0; round < 8; round += 1) {
      openssl('pkeyutl', '-sign', '-inkey', 'key.pem', '-rawin', '-in', 'message', '-digest', 'sm3', ...id, '-out', 'signature')
      const der = execFileSync('cat', ['signature'], { cwd: folder })
      expect(verifySm2(message, fromDer(der), importSm2Public(key))).toBe(true)
      expect(verifySm2(Buffer.from('互通 Hutong'), fromDer(der), importSm2Public(key))).toBe(false)
    }
  })

  it('makes signatures that the command accepts', () => {
    for (let round = 0; round < 8; round += 1) {
      writeFileSync(join(folder, 'signature'), toDer(signSm2(message, importSm2Private(key))))
      const args = ['-verify', '-inkey', 'key.pem', '-rawin', '-in', 'message', '-digest', 'sm3', ...id, '-sigfile', 'signature']
      expect(openssl('pkeyutl', ...args).toString()).toContain('Signature Verified Successfully')
    }
  })
})

describe('an SM2 key', () => {
  it('is refused when it is no point of the curve, or its halves do not match', () => {
    const { x, y } = generateSm2()
    expect(() => importSm2Public({ x, y: x })).toThrowError(/point of the curve/)
    expect(() => importSm2Public({ x, y: 'AAAA' })).toThrowError(/32 bytes/)
    expect(() => importSm2Private({ x, y, d: generateSm2().d })).toThrowError(/do not belong/)
  })

  it('refuses r and s outside the order of the curve, zero among them', () => {
    const key = generateSm2()
    const good = signSm2(message, importSm2Private(key))
    const publicKey = importSm2Public(key)
    expect(verifySm2(message, good, publicKey)).toBe(true)
    expect(verifySm2(message, Buffer.concat([Buffer.alloc(32), good.subarray(32)]), publicKey)).toBe(false)
    expect(verifySm2(message, Buffer.concat([good.subarray(0, 32), Buffer.alloc(32)]), publicKey)).toBe(false)
    expect(verifySm2(message, Buffer.alloc(64, 0xff), publicKey)).toBe(false)
    expect(verifySm2(message, good.subarray(1), publicKey)).toBe(false)
  })

  it('signs a compact JWS under the private name SM2, and no changed character of it verifies', async () => {
    const row = algorithmRow('SM2')
    const jwk = await row?.generate()
    if (row === undefined || jwk === undefined) throw new Error('expected the row of SM2')
    const header = { alg: 'SM2', typ: 'hutong-head+jwt', kid: 'k' }
    const compact = await row.sign(header, Buffer.from('{"fed":"test"}'), await row.importPrivate(jwk))
    const key = await row.importPublic(jwk)
    expect(await row.verify(compact, 'SM2', key)).toBe(true)
    for (const at of [0, 20, compact.indexOf('.') + 3, compact.lastIndexOf('.') + 5]) {
      const changed = `${compact.slice(0, at)}${compact[at] === 'A' ? 'B' : 'A'}${compact.slice(at + 1)}`
      expect(await row.verify(changed, 'SM2', key), `character ${at}`).toBe(false)
    }
  })
})
