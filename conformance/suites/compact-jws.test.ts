import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { verifyCompact } from './compact-jws.ts'

const payload = Buffer.from('payload')
const key = { kty: 'oct', k: Buffer.alloc(64, 7).toString('base64url'), kid: 'one' }
const secret = Buffer.alloc(64, 7)
const mac = (alg: string): Promise<string> => new CompactSign(payload).setProtectedHeader({ alg, kid: 'one' }).sign(secret)

async function signedBy(alg: string): Promise<{ readonly jws: string; readonly jwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { jws: await new CompactSign(payload).setProtectedHeader({ alg }).sign(privateKey), jwk: await exportJWK(publicKey) }
}

describe('a compact JWS', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS384', 'EdDSA', 'Ed25519'])(
    'by %s is accepted under its own key only',
    async alg => {
      const [own, other] = [await signedBy(alg), await signedBy(alg)]
      expect(await verifyCompact(own.jws, own.jwk)).toMatchObject({ got: 'accepted' })
      expect(await verifyCompact(own.jws, other.jwk)).toMatchObject({ got: 'refused' })
      expect(await verifyCompact(own.jws, { keys: [other.jwk, own.jwk] })).toMatchObject({ got: 'accepted' })
    },
  )

  it('is refused under a key that is for something else (RFC 7517 §4.2 to §4.4)', async () => {
    const jws = await mac('HS256')
    expect(await verifyCompact(jws, key)).toMatchObject({ got: 'accepted' })
    expect(await verifyCompact(jws, { ...key, use: 'sig', key_ops: ['verify'] })).toMatchObject({ got: 'accepted' })
    for (const unfit of [{ use: 'enc' }, { key_ops: ['encrypt'] }, { alg: 'HS512' }, { alg: 'A128KW' }, { kty: 'RSA' }])
      expect(await verifyCompact(jws, { ...key, ...unfit })).toMatchObject({
        got: 'refused',
        reason: expect.stringMatching(/^KEY_/),
      })
  })

  it('may use a longer hash than its key names, never a shorter one or another scheme', async () => {
    const { jws, jwk } = await signedBy('PS384')
    expect(await verifyCompact(jws, { ...jwk, alg: 'PS256' })).toMatchObject({ got: 'accepted' })
    for (const alg of ['PS512', 'RS256', 'RS384', 'RSA-OAEP'])
      expect(await verifyCompact(jws, { ...jwk, alg })).toMatchObject({ got: 'refused' })
  })

  it('is refused under a secret shorter than its hash (RFC 7518 §3.2)', async () => {
    const k = Buffer.alloc(31, 7)
    const jws = await new CompactSign(payload).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32, 7))
    expect(await verifyCompact(jws, { kty: 'oct', k: k.toString('base64url') })).toMatchObject({
      reason: expect.stringMatching(/^KEY_/),
    })
  })

  it('is refused where secret and public keys stand in one set', async () => {
    const { jws, jwk } = await signedBy('ES256')
    expect(await verifyCompact(jws, { keys: [jwk, key] })).toMatchObject({ got: 'refused' })
  })

  it('is refused unsigned, in other spellings, in JSON, with another critical header, or with a member twice', async () => {
    const [header = '', body = '', signature = ''] = (await mac('HS256')).split('.')
    const encoded = (text: string): string => Buffer.from(text).toString('base64url')
    const critical = await new CompactSign(payload)
      .setProtectedHeader({ alg: 'HS256', crit: ['x'], x: 1 })
      .sign(secret, { crit: { x: true } })
    for (const text of [
      '',
      `${header}.${body}`,
      `${header}.${body}.`,
      `${header}.${body}.${signature}.`,
      `${header}=.${body}.${signature}`,
      `${header}.${body} .${signature}`,
      `${encoded('{"alg":"none"}')}.${body}.`,
      `${encoded('{"alg":"none"}')}.${body}.${signature}`,
      `${encoded('{"alg":"NONE","kid":"one"}')}.${body}.${signature}`,
      `${encoded('{"alg":"none","alg":"HS256"}')}.${body}.${signature}`,
      `${encoded('["HS256"]')}.${body}.${signature}`,
      JSON.stringify({ protected: header, payload: body, signature }),
      critical,
    ])
      expect(await verifyCompact(text, key)).toMatchObject({ got: 'refused' })
    expect(await verifyCompact({ protected: header, payload: body, signature }, key)).toMatchObject({ got: 'refused' })
    expect(await verifyCompact(`${header}.${body}.${signature}`, null)).toMatchObject({ got: 'refused' })
  })

  it('is not judged under an algorithm that the platform does not have', async () => {
    const header = Buffer.from('{"alg":"ES256K"}').toString('base64url')
    expect(await verifyCompact(`${header}.e30.AAAA`, key)).toMatchObject({ got: 'not-applicable' })
  })
})
