import { Transform } from 'node:stream'
import { ExchangeError } from '../../schemas/errors.ts'

/** Passes bytes on up to a limit. @throws REQUEST_TOO_LARGE past it */
export const limitBytes = (limit: number): Transform => {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      done(seen > limit ? new ExchangeError('REQUEST_TOO_LARGE', `expected at most ${limit} bytes`) : null, chunk)
    },
  })
}
