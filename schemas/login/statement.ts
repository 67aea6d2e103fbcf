/**
 * What a holder signs to log in: a short text in ASCII that names everything that the signature is good for, so that one made for one
 * provider, client or moment is good for no other. It begins with words of its own, which no certificate, CMS message, token or
 * document begins with; and being ASCII, every driver signs the same bytes, whatever character set its machine has.
 *
 *   hutong-login-1
 *   purpose: sign-in
 *   issuer: https://login.example.cn
 *   client: yunnan-trading
 *   nonce: 5mB3…
 *   issued: 2026-11-24T03:10:00.000Z
 *   expires: 2026-11-24T03:15:00.000Z
 */
import { ExchangeError } from '../errors.ts'

export type LoginStatement = {
  /** the OpenID provider, as in its discovery document */
  readonly issuer: string
  /** client_id of the trading system that is logged in to */
  readonly client: string
  /** 32 random bytes in base64url */
  readonly nonce: string
  readonly issued: Date
  readonly expires: Date
}

const FIRST_LINE = 'hutong-login-1'
const PURPOSE = 'sign-in'
const STATEMENT_MAX = 1024
export const LOGIN_SECONDS = 300

const URL_TEXT = /^https?:\/\/[\x21-\x7e]{1,256}$/
export const CLIENT_ID = /^[a-z0-9][a-z0-9-]{1,62}$/
const NONCE = /^[A-Za-z0-9_-]{43}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const FIELDS = [
  ['purpose', /^sign-in$/],
  ['issuer', URL_TEXT],
  ['client', CLIENT_ID],
  ['nonce', NONCE],
  ['issued', TIME],
  ['expires', TIME],
] as const

const invalid = (reason: string): ExchangeError => new ExchangeError('LOGIN_STATEMENT_INVALID', reason)

/** No value can hold a line break, so each stands where it seems to. @throws LOGIN_STATEMENT_INVALID */
export function formatLoginStatement({ issuer, client, nonce, issued, expires }: LoginStatement): string {
  const values = [PURPOSE, issuer, client, nonce, issued.toISOString(), expires.toISOString()]
  const lines = FIELDS.map(([name, shape], index) => {
    const value = values[index] ?? ''
    if (!shape.test(value)) throw invalid(`${name}: expected another form`)
    return `${name}: ${value}`
  })
  return `${[FIRST_LINE, ...lines].join('\n')}\n`
}

/** For a signer that wants to know what it signs before it does. @throws LOGIN_STATEMENT_INVALID */
export function parseLoginStatement(text: string): LoginStatement {
  const lines = text.length > STATEMENT_MAX ? [] : text.split('\n')
  if (lines.length !== FIELDS.length + 2 || lines[0] !== FIRST_LINE || lines.at(-1) !== '')
    throw invalid(`expected the ${FIELDS.length + 1} lines of ${FIRST_LINE}`)
  const [, issuer = '', client = '', nonce = '', issuedText = '', expiresText = ''] = FIELDS.map(([name, shape], index) => {
    const line = lines[index + 1] ?? ''
    const value = line.slice(name.length + 2)
    if (!line.startsWith(`${name}: `) || !shape.test(value)) throw invalid(`line ${index + 2}: expected ${name}`)
    return value
  })
  const [issued, expires] = [new Date(issuedText), new Date(expiresText)]
  if (!(expires > issued) || expires.getTime() - issued.getTime() > LOGIN_SECONDS * 1000)
    throw invalid(`expires: expected at most ${LOGIN_SECONDS} s after issued`)
  return { issuer, client, nonce, issued, expires }
}

/** As bytes, which is what is signed. */
export const loginBytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text, letter => letter.charCodeAt(0))
