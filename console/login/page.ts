/** The login page: shows the fields of the chosen way to sign, and what comes of it. All that is decided stands in the other files. */
import { AGENT_PORT, agentSigner } from './agent.ts'
import { LoginFault, logIn } from './flow.ts'
import { type KeyDatabase, openShelf, type Shelf } from './shelf.ts'
import { type LoginSigner, SignerFault, vendorSigners } from './signer.ts'
import { type HeldKey, holdKey, readKeyFiles, webCryptoSigner } from './software-key.ts'

/** As much of the page as is used; the project is checked without a browser's types. */
export type PageElement = {
  hidden: boolean
  textContent: string
  value: string
  checked: boolean
  disabled: boolean
  readonly dataset: { readonly [name: string]: string | undefined }
  readonly files: Iterable<{ arrayBuffer(): Promise<ArrayBuffer> }> | null
  append(...children: readonly PageElement[]): void
  replaceChildren(...children: readonly PageElement[]): void
  setAttribute(name: string, value: string): void
  addEventListener(type: string, listener: (event: PageEvent) => void): void
}
export type PageEvent = { readonly target?: { readonly name?: string } | null; preventDefault(): void }
export type Page = {
  getElementById(id: string): PageElement | null
  querySelector(selector: string): PageElement | null
  createElement(name: string): PageElement
}
export type Around = {
  readonly page: Page
  readonly ask: typeof fetch
  readonly go: (address: string) => void
  /** `window.hutongSigner` */
  readonly vendor: unknown
  /** null where the browser has none to keep keys in */
  readonly shelf: Shelf | null
}

const BROWSER = { id: 'kept', zh: '本浏览器保存的密钥', en: 'A key that this browser keeps' }
const FILE = { id: 'file', zh: '证书文件', en: 'Certificate file' }

export async function startPage({ page, ask, go, vendor, shelf }: Around): Promise<void> {
  const at = (id: string): PageElement => {
    const element = page.getElementById(id)
    if (element === null) throw new Error(`the page has no ${id}`)
    return element
  }
  const say = (zh: string, en: string): void => {
    at('status').textContent = `${zh} ${en}`
  }
  const tell = (error: unknown): void => {
    say('', '')
    const code = error instanceof LoginFault ? ` (${error.code})` : ''
    at('fault').textContent =
      error instanceof SignerFault
        ? `${error.zh} ${error.en}${code}`
        : `签名未完成。Signing did not succeed: ${error instanceof Error ? error.message : ''}`
  }
  const vendors = vendorSigners(vendor)
  const kept: readonly (HeldKey & { label: string })[] = shelf === null ? [] : await shelf.list().catch(() => [])
  const chosen = (): string => page.querySelector('input[name="signer"]:checked')?.value ?? ''
  const byVendor = (): LoginSigner | undefined => vendors.find(({ id }) => chosen() === `vendor-${id}`)

  function showFields(): void {
    at('agent-fields').hidden = chosen() !== 'agent'
    at('file-fields').hidden = chosen() !== 'file'
    at('choice').hidden = true
    at('certificate').replaceChildren()
    if (byVendor()?.certificates !== undefined) void list()
    if (chosen() === 'kept') offer(kept.map(({ label }, index) => ({ value: String(index), label })))
  }

  function offer(options: readonly { readonly value: string; readonly label: string }[]): void {
    const made = options.map(({ value, label }) => {
      const option = page.createElement('option')
      option.value = value
      option.textContent = label
      return option
    })
    at('certificate').replaceChildren(...made)
    at('choice').hidden = options.length === 0
  }

  const port = (): number => Number(/^\d{1,5}$/.exec(at('port').value)?.[0] ?? AGENT_PORT)

  async function list(): Promise<void> {
    at('fault').textContent = ''
    try {
      const signer = byVendor() ?? agentSigner(port(), ask)
      const found = (await signer.certificates?.()) ?? []
      offer(found.map(({ certificate, label }) => ({ value: certificate, label })))
    } catch (error) {
      tell(error)
    }
  }

  async function fromFiles(): Promise<LoginSigner> {
    const files = await Promise.all([...(at('files').files ?? [])].map(async file => new Uint8Array(await file.arrayBuffer())))
    const held = await holdKey(await readKeyFiles(files, at('password').value))
    at('password').value = ''
    if (at('keep').checked && shelf !== null) await shelf.put({ ...held, label: new Date().toISOString().slice(0, 16) })
    return webCryptoSigner(held, FILE)
  }

  async function signerChosen(): Promise<LoginSigner> {
    if (chosen() === 'file') return fromFiles()
    if (chosen() === 'agent') return agentSigner(port(), ask)
    const held = kept[Number(at('certificate').value)]
    if (chosen() === 'kept' && held !== undefined) return webCryptoSigner(held, BROWSER)
    const signer = byVendor()
    if (signer === undefined) throw new SignerFault('请选择签名方式。', 'Choose how to sign.')
    return signer
  }

  async function submit(): Promise<void> {
    at('fault').textContent = ''
    at('submit').disabled = true
    say('请在签名程序或证书介质上确认……', 'Confirm at your signer or device …')
    try {
      const signer = await signerChosen()
      const certificate = chosen() === 'kept' || chosen() === 'file' ? '' : at('certificate').value
      const address = await logIn(
        { path: at('login').dataset.path ?? '', ask },
        signer,
        certificate === '' ? undefined : certificate,
      )
      say('已登录，正在返回交易系统……', 'Logged in, going back …')
      go(address)
    } catch (error) {
      tell(error)
    } finally {
      at('submit').disabled = false
    }
  }

  for (const { id, zh, en } of vendors) {
    const input = page.createElement('input')
    input.setAttribute('type', 'radio')
    input.setAttribute('name', 'signer')
    input.setAttribute('id', `signer-vendor-${id}`)
    input.value = `vendor-${id}`
    const label = page.createElement('label')
    label.setAttribute('for', `signer-vendor-${id}`)
    label.textContent = `${zh} ${en}`
    const line = page.createElement('p')
    line.append(input, label)
    at('vendors').append(line)
  }
  at('kept').hidden = kept.length === 0
  at('login').addEventListener('change', ({ target }) => {
    if (target?.name === 'signer') showFields()
  })
  at('list').addEventListener('click', () => void list())
  at('login').addEventListener('submit', event => {
    event.preventDefault()
    void submit()
  })
}

type Browser = {
  readonly document: Page
  readonly location: { assign(address: string): void }
  readonly indexedDB?: KeyDatabase
  readonly hutongSigner?: unknown
}

/** In a browser; where there is no page, as in a test, nothing starts by itself. */
const browser = globalThis as unknown as Partial<Browser>
if (browser.document !== undefined && browser.location !== undefined) {
  const { document: page, location, indexedDB: databases, hutongSigner: vendor } = browser
  void startPage({
    page,
    ask: (...given) => fetch(...given),
    go: address => location.assign(address),
    vendor,
    shelf: databases === undefined ? null : openShelf(databases),
  })
}
