import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { escapeHtml, PAGE_MODULES, readAssets } from './assets.ts'
import { parseLoginClients } from './clients.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ISSUER = 'https://login.example.cn/certificates'
const CLIENT = { id: 'shop', zh: '<b>店</b>', en: '"shop"', redirect_uris: ['https://jy.example.cn/callback'] }
const [
  client = (() => {
    throw new Error('no client')
  })(),
] = parseLoginClients(JSON.stringify([CLIENT]))

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-signers-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('what the login page loads', () => {
  it('is every module that it imports, and no other', async () => {
    const found = new Set<string>()
    const look = async (path: string): Promise<void> => {
      if (found.has(path)) return
      found.add(path)
      const source = await readFile(join(ROOT, path), 'utf8')
      for (const [, clause = '', from = ''] of source.matchAll(/^import ([^']*?)from '([^']+)'/gm)) {
        expect(from).toMatch(/^\.\.?\//)
        if (!clause.startsWith('type ')) await look(normalize(join(dirname(path), from)))
      }
    }
    await look('console/login/page.ts')
    expect([...found].sort()).toEqual([...PAGE_MODULES].sort())
  })

  it('is JavaScript, without a type left in it, that Node.js reads as well', async () => {
    const assets = await readAssets(ISSUER, undefined)
    for (const path of PAGE_MODULES) {
      const text = assets.find(path)?.bytes.toString() ?? ''
      expect(text).not.toMatch(/^import type |\binterface \w+ \{|: readonly /m)
      expect(assets.find(path)?.type).toBe('text/javascript; charset=utf-8')
    }
    const statement = assets.find('schemas/login/signatures.ts')?.bytes.toString('base64')
    const module = (await import(`data:text/javascript;base64,${statement}`)) as { signaturesFor(key: readonly string[]): string[] }
    expect(module.signaturesFor(['1.3.101.112'])).toEqual(['Ed25519'])
  })

  it('comes from nowhere else, and nothing is inline', async () => {
    const page = (await readAssets(ISSUER, undefined)).page({ client, scopes: ['openid'], path: '/certificates/sign-in/x' })
    expect(page).not.toMatch(/<script(?![^>]* src=)|\son[a-z]+=|style=|https?:/)
    expect(page).toContain('src="/certificates/assets/console/login/page.ts"')
    expect(page).not.toContain('{{')
  })

  it('shows the name of a client as text, whatever it holds', async () => {
    const page = (await readAssets(ISSUER, undefined)).page({ client, scopes: ['openid'], path: '/x' })
    expect(page).toContain('&lt;b&gt;店&lt;/b&gt;')
    expect(escapeHtml(`&<>"'`)).toBe('&amp;&lt;&gt;&quot;&#39;')
  })

  it('labels every field and names both languages', async () => {
    const page = (await readAssets(ISSUER, undefined)).page({ client, scopes: ['openid', 'organisation'], path: '/x' })
    const fields = [...page.matchAll(/<(?:input|select)[^>]* id="([^"]+)"/g)].map(match => match[1])
    expect(fields.length).toBeGreaterThan(6)
    for (const id of fields) expect(page).toContain(`<label for="${id}">`)
    for (const [, label = ''] of page.matchAll(/<label[^>]*>(.*?)<\/label>/g))
      expect(label).toMatch(/[\u4e00-\u9fff].*<span lang="en">/u)
    expect(page).toContain('<html lang="zh-CN">')
  })

  it('includes the scripts of vendors before itself, each held to its digest', async () => {
    await writeFile(join(folder, 'acme-key.js'), 'window.hutongSigner = {}')
    const assets = await readAssets(ISSUER, folder)
    const page = assets.page({ client, scopes: ['openid'], path: '/x' })
    const { integrity = '' } = assets.find('vendors/acme-key.js') ?? {}
    expect(page).toContain(`src="/certificates/assets/vendors/acme-key.js" integrity="${integrity}"`)
    expect(page.indexOf('acme-key.js')).toBeLessThan(page.indexOf('page.ts'))
    await writeFile(join(folder, 'Bad Name.js'), '')
    await expect(readAssets(ISSUER, folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(readAssets(ISSUER, join(folder, 'none'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
