/** A person with a browser, for tests: logs in at the provider by its pages and comes back with an access token (code and PKCE). */
import { beginLogin } from '../../console/terminal/login.ts'
import { REDIRECT_URI } from './provider.ts'

const STEPS_MAX = 12

/** Follows redirections by hand with a jar of cookies, and fills in the two forms of the provider. */
async function walk(start: URL, login: string): Promise<URL> {
  const jar = new Map<string, string>()
  const take = (response: Response): void => {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
  }
  const cookies = (): string => [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  let url = start
  let form: URLSearchParams | null = null
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const response: Response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: cookies() },
      ...(form === null ? {} : { method: 'POST', body: form }),
    })
    take(response)
    form = null
    const location = response.headers.get('location')
    if (location !== null) {
      url = new URL(location, url)
      if (url.href.startsWith(REDIRECT_URI)) return url
      continue
    }
    const page = await response.text()
    const action = /action="([^"]+)"/.exec(page)?.[1]
    const prompt = /name="prompt" value="([a-z]+)"/.exec(page)?.[1]
    if (action === undefined || prompt === undefined)
      throw new Error(`the provider shows no form: HTTP ${response.status} at ${url.pathname}`)
    url = new URL(action, url)
    form = new URLSearchParams(prompt === 'login' ? { prompt, login, password: 'any' } : { prompt })
  }
  throw new Error('the provider never comes back')
}

export async function loginAs(issuer: string, login: string, audience: string): Promise<string> {
  const { start, finish } = await beginLogin(new URL(issuer), REDIRECT_URI, audience)
  return finish(await walk(start, login))
}
