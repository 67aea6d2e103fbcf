/** A holder with a browser, for tests: keeps cookies by path, follows redirections by hand, and answers the login's question as the page does. */
import * as oidc from 'openid-client'
import { type Door, logIn } from '../../console/login/flow.ts'
import type { LoginSigner, SignedLogin } from '../../console/login/signer.ts'

type Cookie = { readonly value: string; readonly path: string }

export type Browser = {
  /** one request, without following */
  request(url: URL | string, init?: RequestInit): Promise<Response>
  readonly cookies: Map<string, Cookie>
}

/** `way` leads an address to where it is served, as a server in front would. */
export function openBrowser(way: (url: URL) => URL = url => url): Browser {
  const cookies = new Map<string, Cookie>()
  return {
    cookies,
    async request(to, init = {}) {
      const url = new URL(to)
      const sent = [...cookies]
        .filter(([, { path }]) => url.pathname.startsWith(path))
        .map(([name, { value }]) => `${name}=${value}`)
      const headers = {
        ...(init.headers as { readonly [name: string]: string }),
        ...(sent.length > 0 ? { cookie: sent.join('; ') } : {}),
      }
      const response = await fetch(way(url), { ...init, headers, redirect: 'manual' })
      for (const line of response.headers.getSetCookie()) {
        const [pair = '', ...attributes] = line.split('; ')
        const path = attributes.find(one => one.startsWith('path='))?.slice(5) ?? '/'
        cookies.set(pair.slice(0, pair.indexOf('=')), { value: pair.slice(pair.indexOf('=') + 1), path })
      }
      return response
    },
  }
}

export type Beginning = {
  readonly config: oidc.Configuration
  readonly start: URL
  readonly verifier: string
  readonly state: string
}

/** What a trading system begins a login with. */
export async function begin(
  issuer: string,
  client: {
    readonly id: string
    readonly secret?: string
    readonly redirectUri: string
    readonly scope?: string
    readonly algorithm?: string
  },
): Promise<Beginning> {
  const auth = client.secret === undefined ? oidc.None() : oidc.ClientSecretBasic(client.secret)
  const execute = issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}
  const config = await oidc.discovery(
    new URL(issuer),
    client.id,
    { id_token_signed_response_alg: client.algorithm ?? 'ES256' },
    auth,
    execute,
  )
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: client.redirectUri,
    scope: client.scope ?? 'openid organisation certificate province',
    state,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  return { config, start, verifier, state }
}

/** From the start of a login to its page: the address that the page posts to. */
export async function openPage(
  browser: Browser,
  start: URL,
): Promise<{ readonly url: URL; readonly html: string; readonly response: Response }> {
  const first = await browser.request(start)
  const url = new URL(first.headers.get('location') ?? start, start)
  const response = first.headers.has('location') ? await browser.request(url) : first
  return { url, html: await response.text(), response }
}

/** The page's own door, as its fetch is: with the browser's cookies, and the origin that a browser would say. */
export const doorOf = (browser: Browser, page: URL, origin = page.origin): Door => ({
  path: page.href,
  ask: (url, init) => browser.request(url as string, { ...init, headers: { ...(init?.headers as object), origin } }),
})

/** From an answer to the redirect URI. */
export async function follow(browser: Browser, location: string, redirectUri: string): Promise<URL> {
  let url = new URL(location)
  for (let step = 0; step < 5; step += 1) {
    if (url.href.startsWith(redirectUri)) return url
    const response = await browser.request(url)
    const next = response.headers.get('location')
    if (next === null) throw new Error(`no way on from ${url.pathname}: HTTP ${response.status} ${await response.text()}`)
    url = new URL(next, url)
  }
  throw new Error('the login never comes back')
}

/** The whole way: page, question, signature, and back with a code. */
export async function walk(browser: Browser, start: URL, signer: LoginSigner, redirectUri: string): Promise<URL> {
  const { url } = await openPage(browser, start)
  return follow(browser, await logIn(doorOf(browser, url), signer), redirectUri)
}

export const finish = (beginning: Beginning, back: URL) =>
  oidc.authorizationCodeGrant(beginning.config, back, { pkceCodeVerifier: beginning.verifier, expectedState: beginning.state })

/** Signs as told, and remembers what. */
export const signerOf = (sign: (bytes: Uint8Array) => SignedLogin): LoginSigner => ({
  id: 'test',
  zh: '测试',
  en: 'test',
  sign: async ({ bytes }) => sign(bytes),
})
