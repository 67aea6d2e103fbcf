import { createPrivateKey, verify, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { privatePem, rsaKey, sm2Key } from '../../schemas/trust/sample-der.ts'
import { fromBase64, signatureDer, toBase64 } from './elements.ts'
import { CERTIFICATE, EC_KEY, ENCRYPTED_KEY, OLD_PKCS12, PKCS12 } from './sample-key-files.ts'
import { holdKey, readKeyFiles, webCryptoSigner } from './software-key.ts'

const text = (pem: string) => Uint8Array.from(Buffer.from(pem))
const pem = (label: string, body: string): string => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
const CERTIFICATE_PEM = pem('CERTIFICATE', CERTIFICATE)
const NAME = { id: 'file', zh: '文件', en: 'file' }
const MESSAGE = Uint8Array.from(Buffer.from('hutong-login-1\n'))

async function signedWith(files: readonly string[] | readonly Uint8Array<ArrayBuffer>[], password = ''): Promise<boolean> {
  const bytes = files.map(file => (typeof file === 'string' ? text(file) : file))
  const signer = webCryptoSigner(await holdKey(await readKeyFiles(bytes, password)), NAME)
  const { certificate, algorithm, signature } = await signer.sign({ text: '', bytes: MESSAGE })
  expect([certificate, algorithm]).toEqual([CERTIFICATE, 'ES256'])
  return verify(
    'sha256',
    MESSAGE,
    new X509Certificate(Buffer.from(certificate, 'base64')).publicKey,
    Buffer.from(signature, 'base64'),
  )
}
const fault = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    error => (error as { en?: string }).en ?? String(error),
  )

describe('a key in a file', () => {
  it.each([
    ['PEM of RFC 5915, the certificate beside it', [pem('EC PRIVATE KEY', EC_KEY), CERTIFICATE_PEM], ''],
    ['one PEM file with both', [`${CERTIFICATE_PEM}${pem('EC PRIVATE KEY', EC_KEY)}`], ''],
    [
      'PKCS #8',
      [createPrivateKey(pem('EC PRIVATE KEY', EC_KEY)).export({ type: 'pkcs8', format: 'pem' }).toString(), CERTIFICATE_PEM],
      '',
    ],
    ['PKCS #8 under a password', [pem('ENCRYPTED PRIVATE KEY', ENCRYPTED_KEY), CERTIFICATE_PEM], 'secret'],
  ])('signs, out of %s', async (_, files, password) => {
    expect(await signedWith(files, password)).toBe(true)
  })

  it('signs, out of PKCS #12, and with its certificate as DER in a file of its own', async () => {
    expect(await signedWith([fromBase64(PKCS12)], '口令123')).toBe(true)
    expect(await signedWith([text(pem('EC PRIVATE KEY', EC_KEY)), fromBase64(CERTIFICATE)])).toBe(true)
  })

  it('is not opened by another password, nor when the file was changed', async () => {
    expect(await fault(readKeyFiles([fromBase64(PKCS12)], 'wrong'))).toBe('The password is wrong, or the file is damaged.')
    expect(await fault(readKeyFiles([text(pem('ENCRYPTED PRIVATE KEY', ENCRYPTED_KEY))], 'wrong'))).toBe(
      'The password is wrong, or the file is damaged.',
    )
    const changed = fromBase64(PKCS12)
    changed[200] = (changed[200] ?? 0) ^ 1
    expect(await fault(readKeyFiles([changed], '口令123'))).not.toBe('none')
  })

  it('under a cipher that browsers do not have sends the holder to the signer on this machine', async () => {
    expect(await fault(readKeyFiles([fromBase64(OLD_PKCS12)], 'secret'))).toContain('hutong certificate signer')
  })

  it('of SM2 does too', async () => {
    const files = [text(privatePem(sm2Key())), text(CERTIFICATE_PEM)]
    expect(await fault(readKeyFiles(files, '').then(holdKey))).toContain('SM2')
  })

  it('that belongs to another certificate, or comes without one, does not sign', async () => {
    const key = text(privatePem(rsaKey()))
    expect(await fault(readKeyFiles([key], '').then(holdKey))).toContain('no certificate')
    expect(await fault(readKeyFiles([text(CERTIFICATE_PEM)], '').then(holdKey))).toContain('no private key')
    const signer = webCryptoSigner(await holdKey(await readKeyFiles([key, text(CERTIFICATE_PEM)], '')), NAME)
    expect(await fault(signer.sign({ text: '', bytes: MESSAGE }))).toContain('does not belong')
  })

  it('cannot be taken out of the browser again', async () => {
    const { key } = await holdKey(await readKeyFiles([fromBase64(PKCS12)], '口令123'))
    await expect(crypto.subtle.exportKey('pkcs8', key)).rejects.toThrow()
  })

  it('of rubbish is refused with a sentence, whatever the rubbish', async () => {
    for (const bytes of [[], [0x30], [0x30, 0x80, 0, 0], [0x30, 0x84, 0xff, 0xff, 0xff, 0xff], [0x30, 3, 2, 1, 3]])
      expect(await fault(readKeyFiles([Uint8Array.from(bytes)], ''))).toMatch(/damaged|cannot open/)
  })
})

describe('a signature of two numbers', () => {
  it('is written as certificates carry it: shortest form, and positive', () => {
    const raw = Uint8Array.from([0, 0, 0x7f, 1, 0x80, 0, 0, 0])
    expect(toBase64(signatureDer(raw))).toBe(Buffer.from('300b02027f0102050080000000', 'hex').toString('base64'))
  })
})
