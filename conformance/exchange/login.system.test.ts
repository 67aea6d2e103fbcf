/**
 * A company of one province logs in, with the certificate of its own province's authority, at a trading system of another: with a stock
 * OpenID Connect client, a browser's cookies, and the page's own code. And everything that must not let anybody in.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logIn } from '../../console/login/flow.ts'
import type { LoginSigner } from '../../console/login/signer.ts'
import { openLogin, parseIssuer } from '../../node/login/login.ts'
import type { LoginTables } from '../../node/login/tables.ts'
import { digestOf } from '../../schemas/digest.ts'
import { formatLoginStatement, loginBytes, parseLoginStatement } from '../../schemas/login/statement.ts'
import { choosePorts } from '../federation/ports.ts'
import { type Bed, startBed } from '../membership/bed.ts'
import { begin, doorOf, finish, follow, openBrowser, openPage, walk } from './login-browser.ts'
import { askAs, authorityCalled, HOME, holderUnder, importCrls, listOf, revocations, signing, USCC, VENUE } from './login-ground.ts'
import { testLogger } from './servers.ts'
import { eventually } from './testbed.ts'

const REDIRECT = 'https://jy.example.cn/callback'
const SECRET = 'a secret of the trading system 0123456789'
const SHOP = { id: 'shop', redirectUri: REDIRECT }
const CLIENTS = [
  {
    id: 'shop',
    zh: '云南交易系统',
    en: 'Yunnan trading system',
    redirect_uris: [REDIRECT],
    scopes: ['openid', 'organisation', 'certificate', 'province'],
  },
  {
    id: 'vault',
    zh: '云南评标系统',
    en: 'Yunnan evaluation system',
    redirect_uris: [REDIRECT],
    scopes: ['openid'],
    auth: 'client_secret_basic',
    secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
    id_token_alg: 'RS256',
  },
]
const CA = authorityCalled('贵州示例 CA')
const CA_SM2 = authorityCalled('贵州示例 SM2 CA', 'sm2')
const CA_GONE = authorityCalled('贵州已撤 CA')
const CA_UNKNOWN = authorityCalled('无人认可的 CA')
const COMPANY = holderUnder(CA)
const REVOKED = holderUnder(CA)

let bed: Bed
let issuer = ''
beforeAll(async () => {
  const port = (await choosePorts(['login'], new Map())).get('login') ?? 0
  issuer = `http://127.0.0.1:${port}`
  let home = ''
  bed = await startBed({
    nodeSettings: code => {
      if (code !== VENUE) return {}
      const file = join(home, 'login-clients.json')
      writeFileSync(file, JSON.stringify(CLIENTS))
      return { HUTONG_NODE_LOGIN_ISSUER: issuer, HUTONG_NODE_LOGIN_CLIENTS_FILE: file, HUTONG_NODE_LOGIN_HTTP_PORT: String(port) }
    },
  })
  home = bed.home
  await bed.admit(HOME)
  await bed.admit(VENUE)
  await bed.ask(HOME, '/v1/trust-lists', { method: 'POST', body: listOf([CA, CA_SM2], [CA_GONE]) })
  const known = async () => ((await bed.ask(VENUE, '/v1/trust-lists')) as { lists: { id: string }[] }).lists.map(({ id }) => id)
  await eventually('the list at the venue', known, ids => ids.includes(HOME), 60_000)
  await importCrls(bed, VENUE, [revocations(CA, [REVOKED.certificate]), revocations(CA_SM2)])
}, 240_000)
afterAll(async () => bed?.[Symbol.asyncDispose]())

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error)
/** The whole way with this signer; the code that the page shows when it does not come to an end. */
async function outcome(signer: LoginSigner, client = SHOP): Promise<string> {
  const beginning = await begin(issuer, client)
  return walk(openBrowser(), beginning.start, signer, REDIRECT).then(() => 'logged in', codeOf)
}
async function loggedIn(signer = COMPANY.signer) {
  const beginning = await begin(issuer, SHOP)
  const back = await walk(openBrowser(), beginning.start, signer, REDIRECT)
  return { beginning, back, tokens: await finish(beginning, back) }
}
/** Whose error the client's library reports. */
const errorOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    error => (error as { error?: string; code?: string }).error ?? codeOf(error),
  )

describe('a company of another province', () => {
  it('logs in at a trading system with a stock client, and is who its certificate says', async () => {
    const { tokens, beginning } = await loggedIn()
    const expected = {
      sub: USCC,
      acr: 'urn:hutong:acr:recognised-certificate',
      holder_kind: 'organisation',
      uscc: USCC,
      organisation_name: '贵州示例建设有限公司',
      ca_name: '贵州示例电子认证 1',
      certificate_digest: digestOf(COMPANY.certificate.der),
      province: HOME,
    }
    expect(tokens.claims()).toMatchObject({ ...expected, iss: issuer, aud: 'shop' })
    expect(await oidc.fetchUserInfo(beginning.config, tokens.access_token, USCC)).toEqual(expected)
    expect(tokens.refresh_token).toBeUndefined()
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
    expect((await jwtVerify(tokens.id_token ?? '', keys, { issuer, audience: 'shop' })).protectedHeader.alg).toBe('ES256')
  })

  it.each(['rsa', 'ed25519'] as const)('logs in with a key of kind %s', async kind => {
    expect(await outcome(holderUnder(CA, { kind }).signer)).toBe('logged in')
  })

  it('logs in with SM2, signed with SM3 under the usual signer ID', async () => {
    expect(await outcome(holderUnder(CA_SM2, { kind: 'sm2' }).signer)).toBe('logged in')
  })

  it('is told to a client only what is registered for it, and a person is another pseudonym at each', async () => {
    const person = holderUnder(CA, { identity: '530102199003071233' })
    const { tokens } = await loggedIn(person.signer)
    const beginning = await begin(issuer, {
      id: 'vault',
      secret: SECRET,
      redirectUri: REDIRECT,
      scope: 'openid',
      algorithm: 'RS256',
    })
    const there = await finish(beginning, await walk(openBrowser(), beginning.start, person.signer, REDIRECT))
    expect(decodeProtectedHeader(there.id_token ?? '').alg).toBe('RS256')
    const [here, elsewhere] = [tokens, there].map(given => ({ ...given.claims() }) as { readonly [name: string]: unknown })
    if (here === undefined || elsewhere === undefined) throw new Error('no ID token')
    expect(here).toMatchObject({ holder_kind: 'person', ca_name: '贵州示例电子认证 1' })
    expect(Object.keys(here)).not.toContain('certificate_digest')
    expect(Object.keys(elsewhere).sort()).toEqual(['acr', 'aud', 'exp', 'holder_kind', 'iat', 'iss', 'sub'])
    expect([here.sub, elsewhere.sub].map(sub => /^p-[\w-]{43}$/.test(String(sub)))).toEqual([true, true])
    expect(here.sub).not.toBe(elsewhere.sub)
    expect((await loggedIn(person.signer)).tokens.claims()?.sub).toBe(here.sub)
    expect(JSON.stringify([here, elsewhere])).not.toContain('530102199003071233')
  })

  it('proves its key at every login: nothing is carried over in the browser', async () => {
    const browser = openBrowser()
    const first = await begin(issuer, SHOP)
    await finish(first, await walk(browser, first.start, COMPANY.signer, REDIRECT))
    const second = await begin(issuer, SHOP)
    expect((await openPage(browser, second.start)).html).toContain('云南交易系统')
    const silent = new URL((await begin(issuer, SHOP)).start)
    silent.searchParams.set('prompt', 'none')
    const answer = await browser.request(silent)
    expect(answer.headers.get('location')).toContain('error=login_required')
    const other = holderUnder(CA, { uscc: '91520100MA6AAAAA0X' })
    const back = await walk(browser, second.start, other.signer, REDIRECT)
    expect((await finish(second, back)).claims()?.sub).toBe('91520100MA6AAAAA0X')
  })

  it('may turn back, which the trading system is told', async () => {
    const browser = openBrowser()
    const { start } = await begin(issuer, SHOP)
    const { url } = await openPage(browser, start)
    const answer = await browser.request(`${url}/cancel`, {
      method: 'POST',
      headers: { origin: issuer },
      body: new URLSearchParams(),
    })
    const back = await follow(browser, answer.headers.get('location') ?? '', REDIRECT)
    expect(back.searchParams.get('error')).toBe('access_denied')
  })
})

describe('a certificate that is not good for it', () => {
  it.each<readonly [string, LoginSigner, string]>([
    ['is revoked', REVOKED.signer, 'LOGIN_CERTIFICATE_BAD / REVOKED'],
    ['is of an authority that was withdrawn', holderUnder(CA_GONE).signer, 'LOGIN_CERTIFICATE_BAD / CA_WITHDRAWN'],
    [
      'is for encryption',
      holderUnder(CA, { usages: ['keyEncipherment', 'dataEncipherment'] }).signer,
      'LOGIN_CERTIFICATE_BAD / KEY_USAGE_REFUSED',
    ],
    [
      'is of an authority that nobody lists, which is no verdict',
      holderUnder(CA_UNKNOWN).signer,
      'LOGIN_CERTIFICATE_UNCHECKED / ISSUER_UNKNOWN',
    ],
  ])('%s: refused, and the holder is told why', async (_, signer, code) => {
    expect(await outcome(signer)).toBe(code)
  })

  it('the reason reaches the holder in both languages', async () => {
    const beginning = await begin(issuer, SHOP)
    const refusal = await walk(openBrowser(), beginning.start, REVOKED.signer, REDIRECT).catch(error => error)
    expect([refusal.zh, refusal.en]).toEqual([
      '该证书不能用于登录。证书已被吊销。',
      'The certificate is not good for logging in. A certificate is revoked.',
    ])
  })
})

describe('a signature', () => {
  const page = async () => {
    const browser = openBrowser()
    const { start } = await begin(issuer, SHOP)
    const { url } = await openPage(browser, start)
    const door = doorOf(browser, url)
    const post = async (under: string, body: object, init: RequestInit = {}) => {
      const answer = await browser.request(`${url}${under}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: issuer },
        body: JSON.stringify(body),
        ...init,
      })
      return { status: answer.status, ...((await answer.json()) as { code?: string; statement?: string; location?: string }) }
    }
    const asked = async (): Promise<string> => (await post('/challenge', {})).statement ?? ''
    const answerTo = async (text: string, nonce = parseLoginStatement(text).nonce, signer = COMPANY.signer) =>
      post('', { nonce, ...(await signer.sign({ text, bytes: loginBytes(text) })) })
    return { browser, url, door, post, asked, answerTo }
  }

  it('is good once: a replay, in this login or another, answers nothing', async () => {
    const first = await page()
    const text = await first.asked()
    expect((await first.answerTo(text)).location).toContain(`${issuer}/authorize/`)
    expect((await first.answerTo(text)).code).toBe('LOGIN_CHALLENGE_UNKNOWN')
    const second = await page()
    await second.asked()
    expect((await second.answerTo(text)).code).toBe('LOGIN_CHALLENGE_UNKNOWN')
  })

  it('answers the newest text only, and a wrong answer closes it', async () => {
    const { asked, answerTo } = await page()
    const before = await asked()
    const newest = await asked()
    expect((await answerTo(before)).code).toBe('LOGIN_CHALLENGE_UNKNOWN')
    expect((await answerTo(newest)).code).toBe('LOGIN_CHALLENGE_UNKNOWN')
  })

  it('is refused when it comes too late', async () => {
    const { url, asked, answerTo } = await page()
    const said = parseLoginStatement(await asked())
    const issued = new Date(Date.now() - 301_000)
    const old = formatLoginStatement({ ...said, issued, expires: new Date(issued.getTime() + 300_000) })
    const interaction = url.pathname.split('/').at(-1) ?? ''
    await bed.nodeDb(VENUE).updateTable('login_challenge').set({ statement: old }).where('interaction', '=', interaction).execute()
    expect((await answerTo(old)).code).toBe('LOGIN_CHALLENGE_EXPIRED')
  })

  it.each([
    ['another client', { client: 'vault' }],
    ['another provider', { issuer: 'https://login.example.cn' }],
    ['another nonce', { nonce: 'x'.repeat(43) }],
    ['a longer time', { expires: new Date(Date.now() + 299_000) }],
  ])('over a text for %s is refused', async (_, change) => {
    const { asked, answerTo } = await page()
    const said = parseLoginStatement(await asked())
    const other = formatLoginStatement({ ...said, issued: new Date(), ...change })
    expect((await answerTo(other, said.nonce)).code).toBe('LOGIN_SIGNATURE_INVALID')
  })

  it('with another key than the certificate has is refused, before anything is said of the certificate', async () => {
    const thief = holderUnder(CA)
    expect(await outcome(signing(thief.certificate.key, COMPANY.certificate))).toBe('LOGIN_SIGNATURE_INVALID')
    expect(await outcome(signing(thief.certificate.key, REVOKED.certificate))).toBe('LOGIN_SIGNATURE_INVALID')
    expect(await outcome(signing(COMPANY.certificate.key, COMPANY.certificate, { algorithm: 'RS256' }))).toBe(
      'LOGIN_SIGNATURE_INVALID',
    )
  })

  it('with something that is no certificate is refused', async () => {
    expect(await outcome(signing(COMPANY.certificate.key, COMPANY.certificate, { certificate: 'AAAA' }))).toBe(
      'CERTIFICATE_MALFORMED',
    )
  })

  it('from another browser, another page or another site is not taken', async () => {
    const { browser, url, post, asked } = await page()
    expect(await logIn(doorOf(openBrowser(), url), COMPANY.signer).catch(codeOf)).toBe('LOGIN_REQUEST_UNKNOWN')
    expect(await logIn(doorOf(browser, url, 'https://evil.example.cn'), COMPANY.signer).catch(codeOf)).toBe('LOGIN_ORIGIN_FOREIGN')
    const crossSite = { 'content-type': 'application/json', origin: issuer, 'sec-fetch-site': 'cross-site' }
    expect((await post('/challenge', {}, { headers: crossSite })).code).toBe('LOGIN_ORIGIN_FOREIGN')
    const other = await page()
    const mixed = await browser.request(`${other.url}/challenge`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: issuer },
      body: '{}',
    })
    expect(((await mixed.json()) as { code: string }).code).toBe('LOGIN_REQUEST_UNKNOWN')
    expect(await asked()).toContain('hutong-login-1')
  })

  it('is asked for a bounded number of times in one login', async () => {
    const { post } = await page()
    const codes: unknown[] = []
    for (let attempt = 0; attempt < 21; attempt += 1) codes.push((await post('/challenge', {})).code)
    expect(codes.filter(Boolean)).toEqual(['LOGIN_ATTEMPTS_EXCEEDED'])
  })
})

describe('a trading system', () => {
  const changed = async (change: (start: URL) => void) => {
    const { start } = await begin(issuer, SHOP)
    change(start)
    return openBrowser().request(start)
  }
  const told = (answer: Response): string | null => {
    const { search, hash } = new URL(answer.headers.get('location') ?? 'about:blank')
    return new URLSearchParams(search || hash.slice(1)).get('error')
  }

  it.each<readonly [string, (start: URL) => void]>([
    ['without PKCE', start => start.searchParams.delete('code_challenge')],
    ['with a challenge that is no hash', start => start.searchParams.set('code_challenge_method', 'plain')],
    ['for a token without a code', start => start.searchParams.set('response_type', 'id_token')],
    ['for more than is registered for it', start => start.searchParams.set('client_id', 'vault')],
  ])('that asks %s is refused', async (_, change) => {
    expect(['invalid_request', 'unsupported_response_type', 'invalid_scope']).toContain(told(await changed(change)))
  })

  it.each<readonly [string, (start: URL) => void]>([
    ['another redirect URI', start => start.searchParams.set('redirect_uri', 'https://jy.example.cn/callback2')],
    ['a redirect URI with a query', start => start.searchParams.set('redirect_uri', `${REDIRECT}?x=1`)],
    ['no redirect URI', start => start.searchParams.delete('redirect_uri')],
    ['an unknown client', start => start.searchParams.set('client_id', 'nobody')],
    ['the code in the fragment', start => start.searchParams.set('response_mode', 'fragment')],
    ['a request object', start => start.searchParams.set('request', 'x.y.z')],
  ])('with %s is sent nowhere', async (_, change) => {
    const answer = await changed(change)
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
  })

  it('turns a code into a token once, with its own verifier, redirect URI and credential', async () => {
    const beginning = await begin(issuer, SHOP)
    const back = await walk(openBrowser(), beginning.start, COMPANY.signer, REDIRECT)
    const code = back.searchParams.get('code') ?? ''
    const post = async (change: { readonly [name: string]: string }, headers: { readonly [name: string]: string } = {}) => {
      const form = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: REDIRECT,
        code_verifier: beginning.verifier,
        client_id: 'shop',
        ...change,
      }
      const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form), headers })
      return ((await answer.json()) as { error?: string }).error ?? 'issued'
    }
    const basic = { authorization: `Basic ${Buffer.from(`vault:${encodeURIComponent(SECRET)}`).toString('base64')}` }
    expect(await post({ client_id: 'vault' }, basic)).toBe('invalid_grant')
    expect(await post({ client_id: 'vault' }, { authorization: `Basic ${Buffer.from('vault:wrong').toString('base64')}` })).toBe(
      'invalid_client',
    )
    expect(await post({ code_verifier: oidc.randomPKCECodeVerifier() })).toBe('invalid_grant')
    expect(await post({ redirect_uri: 'https://jy.example.cn/other' })).toBe('invalid_grant')
    expect((await Promise.all([post({}), post({})])).sort()).toEqual(['invalid_grant', 'issued'])
    expect(await post({})).toBe('invalid_grant')
  })

  it('notices an answer with another state, and one from another provider', async () => {
    const beginning = await begin(issuer, SHOP)
    const back = await walk(openBrowser(), beginning.start, COMPANY.signer, REDIRECT)
    const tampered = new URL(back)
    tampered.searchParams.set('state', 'x')
    expect(await errorOf(finish(beginning, tampered))).not.toBe('accepted')
    const mixed = new URL(back)
    mixed.searchParams.set('iss', 'https://login.example.cn')
    expect(await errorOf(finish(beginning, mixed))).not.toBe('accepted')
    expect(await errorOf(finish(beginning, back))).toBe('accepted')
  })

  it('goes on through new keys and a restart', async () => {
    const browser = openBrowser()
    const beginning = await begin(issuer, SHOP)
    const { url } = await openPage(browser, beginning.start)
    const kids = async () =>
      ((await (await fetch(`${issuer}/jwks`)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
    const before = await kids()
    expect((await askAs(bed, VENUE, 'system-administrator', '/v1/login/keys', {})).status).toBe(201)
    await bed.stopNode(VENUE)
    await bed.startNode(VENUE)
    expect(await kids()).toEqual(expect.arrayContaining(before))
    expect((await kids()).length).toBe(2 * before.length)
    const back = await follow(browser, await logIn(doorOf(browser, url), COMPANY.signer), REDIRECT)
    const tokens = await finish(beginning, back)
    expect(before).not.toContain(decodeProtectedHeader(tokens.id_token ?? '').kid)
  })
})

describe('behind a server that ends TLS, under a path', () => {
  const ISSUER = 'https://login.example.cn/certificates'

  it('is where its issuer says, whatever a request claims, with cookies for that place only', async () => {
    const folder = await mkdtemp(join(bed.home, 'behind-'))
    const loginClientsFile = join(folder, 'clients.json')
    await writeFile(loginClientsFile, JSON.stringify(CLIENTS))
    const refusals: unknown[] = []
    await using login = await openLogin(
      {
        dataDir: folder,
        loginIssuer: ISSUER,
        loginClientsFile,
        loginSignersDir: undefined,
        loginHttpHost: '127.0.0.1',
        loginHttpPort: 0,
      },
      {
        own: VENUE,
        db: bed.nodeDb(VENUE).$pickTables<keyof LoginTables>(),
        check: async () => ({
          result: 'good',
          holder: { kind: 'organisation', id: `uscc:${USCC}`, uscc: USCC, name: null },
          ca: { name: 'CA' },
          region: null,
        }),
        signedIn: async () => {},
        refused: error => refusals.push(error),
        logger: testLogger(),
        clock: () => new Date(),
        failed: error => refusals.push(error),
      },
    )
    const way = (url: URL): URL => new URL(`${url.pathname}${url.search}`, login.url)
    const lie = { host: 'evil.example.cn', 'x-forwarded-host': 'evil.example.cn', 'x-forwarded-proto': 'http' }
    const discovery = await fetch(way(new URL(`${ISSUER}/.well-known/openid-configuration`)), { headers: lie })
    const metadata = (await discovery.json()) as oidc.ServerMetadata
    expect([metadata.issuer, metadata.token_endpoint, metadata.jwks_uri]).toEqual([ISSUER, `${ISSUER}/token`, `${ISSUER}/jwks`])
    const config = new oidc.Configuration(metadata, 'shop', { id_token_signed_response_alg: 'ES256' }, oidc.None())
    config[oidc.customFetch] = (url, init) => fetch(way(new URL(url)), init as RequestInit)
    const verifier = oidc.randomPKCECodeVerifier()
    const start = oidc.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: 'openid',
      state: 's',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const browser = openBrowser(way)
    const first = await browser.request(start)
    expect(first.headers.get('location')).toMatch(/^\/certificates\/sign-in\//)
    for (const cookie of first.headers.getSetCookie())
      expect(cookie).toMatch(/path=\/certificates\/.*; samesite=lax; secure; httponly$/i)
    const page = new URL(first.headers.get('location') ?? '', ISSUER)
    const html = await (await browser.request(page)).text()
    expect(html).toContain('src="/certificates/assets/console/login/page.ts"')
    const door = doorOf(browser, page, new URL(ISSUER).origin)
    const back = await follow(browser, await logIn(door, COMPANY.signer), REDIRECT)
    const tokens = await oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: 's' })
    expect([tokens.claims()?.sub, refusals]).toEqual([USCC, []])
  })

  it.each(['http://login.example.cn', 'https://login.example.cn/', 'https://login.example.cn?x=1', 'https://me@login.example.cn'])(
    'is not opened as %s',
    text => {
      expect(() => parseIssuer(text)).toThrow(/CONFIG_INVALID/)
    },
  )
})

describe('what is told of it', () => {
  const usesAt = async (code: string, query = '') => {
    const { body } = await askAs(bed, code, 'comprehensive-supervisor', `/v1/certificate-uses${query}`)
    return body.items as readonly {
      readonly uscc: string | null
      readonly venue: string
      readonly use: string
      readonly watched: boolean
    }[]
  }

  it('reaches the home of the holder and nobody else; the venue itself keeps none but whom it watches', async () => {
    await loggedIn()
    await eventually(
      'the news at home',
      () => usesAt(HOME),
      items => items.some(({ uscc }) => uscc === USCC),
      60_000,
    )
    expect((await usesAt(HOME)).find(({ uscc }) => uscc === USCC)).toMatchObject({ venue: VENUE, use: 'sign-in', watched: false })
    await eventually(
      'nothing left at the venue',
      () => bed.nodeDb(VENUE).selectFrom('certificate_use').select('id').execute(),
      rows => rows.length === 0,
    )
    expect(await usesAt(VENUE)).toEqual([])
    const bodies = await bed.hubDb
      .selectFrom('envelope')
      .innerJoin('log', 'log.id', 'envelope.log_id')
      .select(['log.audience', 'envelope.body'])
      .where('log.dataset', '=', 'supervision')
      .execute()
    expect(bodies.length).toBeGreaterThan(0)
    expect(new Set(bodies.map(({ audience }) => audience))).toEqual(new Set([`node-${HOME}`]))
    expect(Buffer.concat(bodies.map(({ body }) => Buffer.from(body ?? []))).includes(USCC)).toBe(false)
  })

  it('is noticed for holders on the watch list, here and at home, by a hash and never by a list that crosses', async () => {
    expect(await bed.ask(VENUE, '/v1/watch-list', { method: 'POST', body: { uscc: USCC, reason: 'investigation' } })).toMatchObject(
      {},
    )
    const { body } = await askAs(bed, VENUE, 'comprehensive-supervisor', '/v1/watch-list')
    expect(JSON.stringify(body)).not.toContain(USCC)
    await loggedIn()
    expect(await usesAt(VENUE, '?watched=true')).toMatchObject([{ uscc: USCC, venue: VENUE, use: 'sign-in', watched: true }])
    expect(await usesAt(HOME, '?watched=true')).toEqual([])
    await bed.ask(HOME, '/v1/watch-list', { method: 'POST', body: { uscc: USCC, reason: 'penalty' } })
    expect((await usesAt(HOME, '?watched=true')).length).toBeGreaterThan(0)
    const [{ watch } = { watch: '' }] = body.items as readonly { watch: string }[]
    await bed.ask(VENUE, '/v1/watch-list/removal', { method: 'POST', body: { watch } })
    expect(await usesAt(VENUE, '?watched=true')).toEqual([])
  })

  it('is reported by trading systems for unlocking and signing too, and refused for a certificate that is not good', async () => {
    const report = (use: string, certificate: Buffer) =>
      askAs(bed, VENUE, 'local-trading-system', '/v1/certificate-uses', { use, certificate: certificate.toString('base64') })
    const pair = holderUnder(CA, { usages: ['keyEncipherment', 'dataEncipherment'] })
    expect((await report('unlock', pair.certificate.der)).status).toBe(201)
    expect((await report('sign', COMPANY.certificate.der)).status).toBe(201)
    expect((await report('sign', pair.certificate.der)).body.code).toBe('LOGIN_CERTIFICATE_BAD')
    expect((await report('sign', REVOKED.certificate.der)).body.code).toBe('LOGIN_CERTIFICATE_BAD')
    await eventually(
      'the news at home',
      () => usesAt(HOME),
      items => items.some(({ use }) => use === 'unlock') && items.some(({ use }) => use === 'sign'),
      60_000,
    )
  })

  it('is counted by month, home and authority, with nobody in it', async () => {
    const before = (await askAs(bed, VENUE, 'statistician', '/v1/statistics/logins')).body as {
      total: number
      rows: readonly object[]
    }
    await loggedIn()
    const after = (await askAs(bed, VENUE, 'statistician', '/v1/statistics/logins')).body as {
      total: number
      rows: readonly object[]
    }
    expect(after.total).toBe(before.total + 1)
    expect(after.rows.every(row => Object.keys(row).sort().join() === 'ca_name,home,logins,month')).toBe(true)
    expect(JSON.stringify(after)).not.toContain(USCC)
  })

  it('is for supervision to read, not for the clerk, the operator or the trading system', async () => {
    for (const role of ['centre-clerk', 'local-trading-system', 'system-administrator'] as const)
      expect((await askAs(bed, VENUE, role, '/v1/certificate-uses')).body.code).toBe('ACCESS_DENIED')
    await expect(bed.ask(VENUE, '/v1/certificate-uses')).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    expect((await askAs(bed, HOME, 'local-trading-system', '/v1/supervision')).body.code).toBe('ACCESS_DENIED')
  })
})
