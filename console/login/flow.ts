/** One login, from the page's side: ask for the text, have it signed, hand the signature in, and go where the answer says. */
import { loginBytes, parseLoginStatement } from '../../schemas/login/statement.ts'
import { type LoginSigner, SignerFault } from './signer.ts'

type Problem = {
  readonly title?: string
  readonly title_zh?: string
  readonly code?: string
  readonly about?: { readonly [name: string]: unknown }
}

/** What went wrong, for the holder; `code` for whoever he asks for help. */
export class LoginFault extends SignerFault {
  readonly code: string
  constructor(zh: string, en: string, code: string) {
    super(zh, en)
    this.code = code
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The sentence of the code, and the reason behind it where there is one. */
function faultOf({ title, title_zh: zh, code, about }: Problem): LoginFault {
  const reason = textOf(about?.reason)
  return new LoginFault(
    `${zh ?? '出现故障。'}${textOf(about?.reason_zh)}`,
    [title ?? 'Something went wrong.', textOf(about?.reason_en)].filter(Boolean).join(' '),
    [code ?? 'INTERNAL', reason].filter(Boolean).join(' / '),
  )
}

export type Door = {
  /** address of this login: `/sign-in/<id>` */
  readonly path: string
  readonly ask: typeof fetch
}

async function post({ path, ask }: Door, under: string, body: object): Promise<{ readonly [name: string]: unknown }> {
  const answer = await ask(`${path}${under}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    credentials: 'same-origin',
    body: JSON.stringify(body),
  }).catch(() => {
    throw new LoginFault('无法连接登录服务，请检查网络。', 'The login service does not answer; check the network.', 'NETWORK')
  })
  const value = (await answer.json().catch(() => ({}))) as { readonly [name: string]: unknown }
  if (!answer.ok) throw faultOf(value as Problem)
  return value
}

/** Answers the address to go on to. @throws LoginFault, SignerFault */
export async function logIn(door: Door, signer: LoginSigner, certificate?: string): Promise<string> {
  const { statement } = await post(door, '/challenge', {})
  const text = textOf(statement)
  const { nonce } = parseLoginStatement(text)
  const signed = await signer.sign({ text, bytes: loginBytes(text), ...(certificate === undefined ? {} : { certificate }) })
  const { algorithm, signature, certificate: own, chain = [] } = signed
  const { location } = await post(door, '', { nonce, algorithm, signature, certificate: own, chain: chain.slice(0, 6) })
  return textOf(location)
}
