/** Whoever writes here shows the operator's token. Without a configured token nobody may write: deny by default. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FastifyRequest } from 'fastify'
import { ExchangeError } from '../schemas/errors.ts'

const MIN_TOKEN_CHARACTERS = 32

export type OperatorCheck = (request: FastifyRequest) => Promise<void>

/** @throws CONFIG_INVALID if the file cannot be read or the token is short enough to guess */
export async function readOperatorCheck(path: string | undefined): Promise<OperatorCheck> {
  if (path === undefined) {
    return () =>
      Promise.reject(new ExchangeError('REQUEST_UNAUTHORIZED', 'this node has no operator token configured, so it takes no writes'))
  }
  const token = (
    await readFile(path, 'utf8').catch(cause => {
      throw new ExchangeError('CONFIG_INVALID', `operator token file ${path}: expected a readable file`, { cause })
    })
  ).trim()
  if (token.length < MIN_TOKEN_CHARACTERS) {
    throw new ExchangeError('CONFIG_INVALID', `operator token file ${path}: expected at least ${MIN_TOKEN_CHARACTERS} characters`)
  }
  const expected = createHash('sha256').update(token).digest()
  return async request => {
    const given = /^Bearer (.{1,256})$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
    // Comparing digests takes the same time whatever was given, its length included.
    if (!timingSafeEqual(createHash('sha256').update(given).digest(), expected)) {
      throw new ExchangeError(
        'REQUEST_UNAUTHORIZED',
        'expected the header Authorization: Bearer with the operator token of this node',
      )
    }
  }
}
