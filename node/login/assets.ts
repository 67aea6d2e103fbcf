/**
 * The login page and what it loads: files of `console/login`, served as they are, under the paths that their imports name, with the types
 * stripped as Node.js strips its own. Nothing is bundled and nothing comes from elsewhere. Scripts of vendors' drivers come from a
 * folder of the province's, each held to what it was when the node started.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ExchangeError } from '../../schemas/errors.ts'
import { LOGIN_SCOPES } from '../../schemas/login/scopes.ts'
import type { LoginClient } from './clients.ts'

const PROJECT = new URL('../../', import.meta.url)
const PAGE = 'console/login/page.html'
const ERROR_PAGE = 'console/login/error.html'
const STYLE = 'console/login/page.css'
const ENTRY = 'console/login/page.ts'
/** Every module that the page loads; the page's own test holds this list against the imports. */
export const PAGE_MODULES = [
  ENTRY,
  'console/login/agent.ts',
  'console/login/elements.ts',
  'console/login/flow.ts',
  'console/login/pkcs12.ts',
  'console/login/shelf.ts',
  'console/login/signer.ts',
  'console/login/software-key.ts',
  'schemas/errors.ts',
  'schemas/login/signatures.ts',
  'schemas/login/statement.ts',
] as const

const VENDOR_SCRIPT = /^[a-z0-9][a-z0-9-]{0,40}\.js$/
const VENDOR_MAX_BYTES = 4_194_304

export type Asset = { readonly type: string; readonly bytes: Buffer; readonly etag: string; readonly integrity: string }
export type Assets = {
  /** by the path behind `/assets/` */
  find(path: string): Asset | undefined
  page(login: { readonly client: LoginClient; readonly scopes: readonly string[]; readonly path: string }): string
  /** for what cannot be told to the client */
  errorPage(problem: { readonly zh: string; readonly en: string; readonly code: string }): string
}

const read = (path: string): Promise<string> => readFile(fileURLToPath(new URL(path, PROJECT)), 'utf8')

/** Node.js warns once that it may yet change how it does this; its own loader does the same without a word. */
function stripped(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

const asset = (type: string, bytes: Buffer): Asset => {
  const digest = createHash('sha384').update(bytes).digest('base64')
  return { type, bytes, etag: `"${digest.slice(0, 27)}"`, integrity: `sha384-${digest}` }
}

const SCRIPT = 'text/javascript; charset=utf-8'

const ESCAPES: { readonly [letter: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, letter => ESCAPES[letter] ?? '')

/** Every value is escaped here; `raw` was made of escaped ones. */
const fill = (
  template: string,
  values: { readonly [name: string]: string },
  raw: { readonly [name: string]: string } = {},
): string => template.replace(/\{\{([a-z_]+)\}\}/g, (_, name: string) => raw[name] ?? escapeHtml(values[name] ?? ''))

async function readVendors(folder: string | undefined): Promise<(readonly [name: string, Asset])[]> {
  if (folder === undefined) return []
  const names = (
    await readdir(folder).catch(cause => {
      throw new ExchangeError('CONFIG_INVALID', `login signers folder ${folder}: expected a readable folder`, { cause })
    })
  ).filter(name => name.endsWith('.js'))
  return Promise.all(
    names.sort().map(async name => {
      const bytes = await readFile(join(folder, name))
      if (!VENDOR_SCRIPT.test(name) || bytes.length > VENDOR_MAX_BYTES)
        throw new ExchangeError(
          'CONFIG_INVALID',
          `login signers folder ${folder}: ${name}: expected a lower-case name and at most 4 MiB`,
        )
      return [`vendors/${name}`, asset(SCRIPT, bytes)] as const
    }),
  )
}

/** @throws CONFIG_INVALID */
export async function readAssets(issuer: string, signersFolder: string | undefined): Promise<Assets> {
  const base = new URL(issuer).pathname.replace(/\/$/, '')
  const [page, errorPage, style] = await Promise.all([PAGE, ERROR_PAGE, STYLE].map(read))
  const modules = await Promise.all(
    PAGE_MODULES.map(async path => [path, asset(SCRIPT, Buffer.from(stripped(await read(path))))] as const),
  )
  const vendors = await readVendors(signersFolder)
  const all = new Map<string, Asset>([
    ['page.css', asset('text/css; charset=utf-8', Buffer.from(style ?? ''))],
    ...modules,
    ...vendors,
  ])
  const tag = (path: string, { integrity }: Asset, kind: string): string =>
    `<script ${kind} src="${escapeHtml(`${base}/assets/${path}`)}" integrity="${integrity}"></script>\n`
  // Drivers first, in the order of their names: what they leave is there when the page looks for it. A module waits for the document.
  const scripts = [
    ...vendors.map(([path, one]) => tag(path, one, 'defer')),
    ...modules.filter(([path]) => path === ENTRY).map(([path, one]) => tag(path, one, 'type="module"')),
  ].join('')
  return {
    find: path => all.get(path),
    page({ client, scopes, path }) {
      const told = LOGIN_SCOPES.filter(({ name }) => scopes.includes(name))
      const items = told.map(({ zh, en }) => `<li>${escapeHtml(zh)} <span lang="en">${escapeHtml(en)}</span></li>\n`).join('')
      return fill(page ?? '', { base, path, client_zh: client.zh, client_en: client.en }, { scopes: items, scripts })
    },
    errorPage: problem => fill(errorPage ?? '', { base, ...problem }),
  }
}
