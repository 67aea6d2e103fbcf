/** The operator's token: the credential that a program has before any client is registered. Without a configured token there is none. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FastifyRequest } from 'fastify'
import { ExchangeError } from '../../schemas/errors.ts'

const MIN_TOKEN_CHARACTERS = 32

export type Operator = {
  /** whether the request shows the operator's token */
  is(request: FastifyRequest): boolean
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** @throws CONFIG_INVALID if the file cannot be read or the token is short enough to guess */
export async function readOperator(path: string | undefined): Promise<Operator> {
  const expected = path === undefined ? null : digest(await readToken(path))
  const is = (request: FastifyRequest): boolean => {
    const given = /^Bearer (.{1,256})$/.exec(request.headers.authorization ?? '')?.[1]
    // Comparing digests takes the same time whatever was given, its length included.
    return expected !== null && given !== undefined && timingSafeEqual(digest(given), expected)
  }
  return { is }
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw new ExchangeError('CONFIG_INVALID', `operator token file ${path}: expected a readable file`, { cause })
  })
  const token = text.trim()
  if (token.length < MIN_TOKEN_CHARACTERS) {
    throw new ExchangeError('CONFIG_INVALID', `operator token file ${path}: expected at least ${MIN_TOKEN_CHARACTERS} characters`)
  }
  return token
}
