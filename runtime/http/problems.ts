/**
 * Every refusal over HTTP is a problem detail (RFC 9457) made from the code table, so that a caller acts on `code` and `retry` and
 * a person reads the sentence in either language. What is not an ExchangeError is translated here once; its message never leaves,
 * because it may quote the body, the database or the file system.
 */
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ERRORS, type ErrorCode, type ErrorDetail, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { translateDatabaseError } from '../postgres/faults.ts'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'
/** When a caller should try again if nothing better is known. */
const RETRY_AFTER_S = 5
/** Faults listed in one answer; a caller with more of them has enough to do. */
const FAULTS_MAX = 20

export type Problem = {
  readonly type: string
  readonly title: string
  readonly title_zh: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly retry: boolean
  /** the identifier of the request, which the log carries too */
  readonly instance: string
  /** what the fault concerns: names, expectations, positions */
  readonly about?: ErrorDetail
  /** each fault of the request by itself */
  readonly errors?: readonly string[]
}

export const formatProblem = (error: ExchangeError, instance: string): Problem => {
  const { en, zh, status, retry } = ERRORS[error.code]
  const { faults, ...about } = error.detail
  return {
    type: `urn:hutong:problem:${error.code}`,
    title: en,
    title_zh: zh,
    status,
    detail: error.reason,
    code: error.code,
    retry,
    instance,
    ...(Object.keys(about).length > 0 ? { about } : {}),
    ...(Array.isArray(faults) ? { errors: faults } : {}),
  }
}

/** Fastify's own codes; each sentence is ours because some of Fastify's quote the input. */
const FRAMEWORK: { readonly [code: string]: readonly [ErrorCode, string] } = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['REQUEST_TOO_LARGE', 'the body is larger than this address accepts'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['REQUEST_MEDIA_TYPE_REFUSED', 'this address does not accept the media type of the body'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['REQUEST_INVALID', 'the body is empty; expected JSON'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['REQUEST_INVALID', 'the body is not JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['REQUEST_INVALID', 'the body is not as long as Content-Length says'],
  FST_ERR_BAD_URL: ['REQUEST_INVALID', 'the address is not a valid URL path'],
  FST_ERR_MAX_PARAM_LENGTH: ['REQUEST_INVALID', 'a part of the address is too long'],
}

const PARTS: { readonly [part: string]: string } = { querystring: 'query', params: 'path', headers: 'header', body: 'body' }

/** Names the place and the rule. The value that came is not repeated; the names of surplus parameters are, since they are the fault. */
const formatFault = (part: string, { instancePath, message = 'is not valid', params }: FaultOfSchema): string => {
  const where = `${PARTS[part] ?? part}${instancePath}`
  const surplus = params.additionalProperty ?? params.unevaluatedProperty
  return typeof surplus === 'string'
    ? `${where}: ${JSON.stringify(surplus.slice(0, 64))} is not known here`
    : `${where}: ${message}`
}

type FaultOfSchema = NonNullable<FastifyError['validation']>[number]

const fromValidation = (part: string, found: readonly FaultOfSchema[]): ExchangeError => {
  const faults = found.slice(0, FAULTS_MAX).map(fault => formatFault(part, fault))
  return new ExchangeError('REQUEST_INVALID', faults.join('; '), { detail: { faults } })
}

/** Every error becomes an ExchangeError; what is not known is INTERNAL, with the cause for the log only. */
const translateError = (error: unknown): ExchangeError => {
  if (isExchangeError(error)) return error
  if (error instanceof Error) {
    const { validation, validationContext, code, statusCode } = error as Partial<FastifyError>
    if (validation) return fromValidation(validationContext ?? 'request', validation)
    const known = code === undefined ? undefined : FRAMEWORK[code]
    if (known) return new ExchangeError(known[0], known[1], { cause: error })
    if (code?.startsWith('FST_') && statusCode !== undefined && statusCode >= 400 && statusCode < 500)
      return new ExchangeError('REQUEST_INVALID', 'the request cannot be read', { cause: error })
  }
  const ofDatabase = translateDatabaseError(error)
  if (ofDatabase.code === 'DATABASE_UNAVAILABLE')
    return new ExchangeError(ofDatabase.code, 'try again when it is back', { cause: error })
  return new ExchangeError('INTERNAL', 'an unexpected error; the log names it under this request', { cause: error })
}

const logFault = (log: FastifyBaseLogger, error: ExchangeError): void => {
  if (error.status >= 500 && !error.retry) log.error({ err: error })
  else if (error.code === 'INTERNAL') log.error({ err: error })
  else log.debug({ err: error })
}

export const sendProblem = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const error = translateError(thrown)
  logFault(request.log, error)
  if (error.retry && !reply.hasHeader('retry-after')) reply.header('retry-after', RETRY_AFTER_S)
  return reply
    .code(error.status)
    .header('cache-control', 'no-store')
    .type(PROBLEM_MEDIA_TYPE)
    .serializer((problem: Problem) => JSON.stringify(problem))
    .send(formatProblem(error, request.id))
}
