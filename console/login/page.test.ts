import { describe, expect, it } from 'vitest'
import { formatLoginStatement } from '../../schemas/login/statement.ts'
import { p256Key, privatePem } from '../../schemas/trust/sample-der.ts'
import { type Page, type PageElement, type PageEvent, startPage } from './page.ts'
import { openShelf, type Shelf } from './shelf.ts'
import { type LoginSigner, vendorSigners } from './signer.ts'

const issued = new Date()
const STATEMENT = formatLoginStatement({
  issuer: 'https://login.example.cn',
  client: 'shop',
  nonce: 'n'.repeat(43),
  issued,
  expires: new Date(issued.getTime() + 300_000),
})

type Field = PageElement & { readonly children: PageElement[]; fire(type: string, event?: Partial<PageEvent>): void }

function field(dataset: { readonly [name: string]: string } = {}): Field {
  const heard = new Map<string, (event: PageEvent) => void>()
  const made: Field = {
    hidden: true,
    textContent: '',
    value: '',
    checked: false,
    disabled: false,
    dataset,
    files: null,
    children: [],
    append: (...children) => void made.children.push(...children),
    replaceChildren: (...children) => void made.children.splice(0, made.children.length, ...children),
    setAttribute: () => {},
    addEventListener: (type, listener) => void heard.set(type, listener),
    fire: (type, event = {}) => heard.get(type)?.({ preventDefault: () => {}, ...event }),
  }
  return made
}

const IDS = [
  'agent-fields',
  'file-fields',
  'choice',
  'certificate',
  'fault',
  'status',
  'submit',
  'files',
  'password',
  'keep',
  'port',
  'list',
  'kept',
  'vendors',
]

function browser(answers: { readonly [path: string]: object }, more: { readonly vendor?: unknown; readonly shelf?: Shelf } = {}) {
  const fields = new Map(IDS.map(id => [id, field()]))
  fields.set('login', field({ path: '/sign-in/1' }))
  const at = (id: string): Field => fields.get(id) ?? field()
  const asked: { readonly url: string; readonly body: unknown }[] = []
  const went: string[] = []
  let chosen = ''
  const page: Page = {
    getElementById: id => fields.get(id) ?? null,
    querySelector: () => ({ ...field(), value: chosen }),
    createElement: () => field(),
  }
  const ask = (async (url: string, init?: { body?: string }) => {
    asked.push({ url, body: init?.body === undefined ? undefined : JSON.parse(init.body) })
    const answer = answers[url]
    if (answer === undefined) throw new TypeError('unreachable')
    return Response.json(answer, { status: 'code' in answer ? 403 : 200 })
  }) as unknown as typeof fetch
  const started = startPage({ page, ask, go: address => went.push(address), vendor: more.vendor, shelf: more.shelf ?? null })
  return {
    at,
    asked,
    went,
    started,
    choose(name: string) {
      chosen = name
      at('login').fire('change', { target: { name: 'signer' } })
    },
    /** until the button is free again */
    async submit() {
      at('login').fire('submit')
      await expect.poll(() => at('submit').disabled).toBe(false)
    },
  }
}

const CHALLENGE = { '/sign-in/1/challenge': { statement: STATEMENT } }
const SIGNED = { certificate: 'AAAA', algorithm: 'ES256', signature: 'BBBB' } as const
const DONE = { '/sign-in/1': { location: 'https://login.example.cn/authorize/1' } }
const VENDOR: LoginSigner = { id: 'acme', zh: '某某钥匙', en: 'ACME key', sign: async () => SIGNED }

describe('the login page', () => {
  it('has the driver of a vendor sign the text, hands the signature in, and goes where it is told', async () => {
    const texts: string[] = []
    const vendor = {
      ...VENDOR,
      sign: async ({ text, bytes }: { text: string; bytes: Uint8Array }) => {
        texts.push(text, Buffer.from(bytes).toString('latin1'))
        return SIGNED
      },
    }
    const page = browser({ ...CHALLENGE, ...DONE }, { vendor })
    await page.started
    expect(page.at('vendors').children).toHaveLength(1)
    page.choose('vendor-acme')
    await page.submit()
    expect(texts).toEqual([STATEMENT, STATEMENT])
    expect(page.asked.at(-1)).toEqual({ url: '/sign-in/1', body: { nonce: 'n'.repeat(43), ...SIGNED, chain: [] } })
    expect(page.went).toEqual(['https://login.example.cn/authorize/1'])
  })

  it('lists the certificates of the signer on this machine, and asks for the one that is chosen', async () => {
    const page = browser({
      ...CHALLENGE,
      ...DONE,
      'http://127.0.0.1:17999/v1/certificates': { certificates: [{ certificate: 'AAAA', label: '某公司' }, 'rubbish', null] },
      'http://127.0.0.1:17999/v1/signatures': SIGNED,
    })
    await page.started
    page.choose('agent')
    page.at('port').value = '17999'
    page.at('list').fire('click')
    await expect.poll(() => page.at('choice').hidden).toBe(false)
    expect(page.at('certificate').children.map(({ textContent }) => textContent)).toEqual(['某公司'])
    page.at('certificate').value = 'AAAA'
    await page.submit()
    expect(page.asked.find(({ url }) => url.endsWith('/v1/signatures'))?.body).toEqual({
      statement: STATEMENT,
      certificate: 'AAAA',
    })
    expect(page.went).toHaveLength(1)
  })

  it('tells why a certificate is refused, in both languages and with the code', async () => {
    const problem = {
      code: 'LOGIN_CERTIFICATE_BAD',
      title: 'The certificate is not good for logging in.',
      title_zh: '该证书不能用于登录。',
      about: { reason: 'REVOKED', reason_en: 'A certificate is revoked.', reason_zh: '证书已被吊销。' },
    }
    const page = browser({ ...CHALLENGE, '/sign-in/1': problem }, { vendor: VENDOR })
    await page.started
    page.choose('vendor-acme')
    await page.submit()
    expect(page.at('fault').textContent).toBe(
      '该证书不能用于登录。证书已被吊销。 The certificate is not good for logging in. A certificate is revoked. (LOGIN_CERTIFICATE_BAD / REVOKED)',
    )
    expect(page.went).toEqual([])
  })

  it('tells when no signer answers, when nothing is chosen, and what a driver says', async () => {
    const page = browser(CHALLENGE, { vendor: { ...VENDOR, sign: async () => Promise.reject(new Error('PIN locked')) } })
    await page.started
    await page.submit()
    expect(page.at('fault').textContent).toContain('Choose how to sign.')
    page.choose('agent')
    await page.submit()
    expect(page.at('fault').textContent).toContain('17421')
    page.choose('vendor-acme')
    await page.submit()
    expect(page.at('fault').textContent).toContain('PIN locked')
  })

  it('never sends a key file anywhere, and forgets its password', async () => {
    const page = browser({ ...CHALLENGE, ...DONE })
    await page.started
    page.choose('file')
    const bytes = Uint8Array.from(Buffer.from(privatePem(p256Key())))
    Object.assign(page.at('files'), { files: [{ arrayBuffer: async () => bytes.buffer }] })
    page.at('password').value = 'secret'
    await page.submit()
    expect(page.at('fault').textContent).toContain('certificate')
    expect(JSON.stringify(page.asked)).not.toMatch(/PRIVATE KEY|secret/)
  })
})

describe('drivers of vendors', () => {
  it('are what the interface says, one or several; anything else is left out', () => {
    expect(vendorSigners(VENDOR)).toEqual([VENDOR])
    expect(vendorSigners([VENDOR, null, { id: 'x' }, { ...VENDOR, sign: 'no' }, { ...VENDOR, zh: '' }])).toEqual([VENDOR])
    expect(vendorSigners(undefined)).toEqual([])
  })
})

describe('keys that the browser keeps', () => {
  it('are put under their label, listed, and taken away together', async () => {
    const stored = new Map<string, unknown>()
    const request = <T>(result: T) => {
      const made = { result, onsuccess: null as (() => void) | null, onerror: null, onupgradeneeded: null as (() => void) | null }
      queueMicrotask(() => {
        made.onupgradeneeded?.()
        made.onsuccess?.()
      })
      return made
    }
    const store = {
      getAll: () => request([...stored.values()] as never),
      put: (value: unknown, key: string) => request(stored.set(key, value)),
      clear: () => request(stored.clear()),
    }
    const database = { createObjectStore: () => {}, transaction: () => ({ objectStore: () => store }) }
    const shelf = openShelf({ open: () => request(database) })
    const key = { label: 'a', algorithm: 'ES256', key: null as never, certificates: [] }
    await shelf.put(key)
    expect(await shelf.list()).toEqual([key])
    await shelf.clear()
    expect(await shelf.list()).toEqual([])
  })
})
