/**
 * Stands before every route. Who asks is found out first, then counted, then judged, before a byte of the body is read; what is known
 * only from the body is judged again before the route runs. An audited request is on disk in the audit log before the route runs, and
 * what came of an act before its answer leaves. A route that names no operation is not built.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AuditFacts } from '../../../schemas/access/audit-chain.ts'
import { type Decision, decide, type Resource, type RowScope, rowScope } from '../../../schemas/access/decision.ts'
import { isAudited, type OperationName, operationNamed } from '../../../schemas/access/operations.ts'
import { isPurpose, PURPOSES } from '../../../schemas/access/purposes.ts'
import type { Subject } from '../../../schemas/access/subjects.ts'
import { ExchangeError, isExchangeError } from '../../../schemas/errors.ts'
import type { Duties } from '../../audit/duties.ts'
import type { AuditLog } from '../../audit/log.ts'
import type { Pseudonyms } from '../../audit/pseudonyms.ts'

/** What a request is about; `key` of a record, `deal` the key of the deal, both hashed before they are written anywhere. */
export type Asked = Omit<Resource, 'duties'> & { readonly key?: string; readonly deal?: string; readonly name?: string }
export type RouteAccess = {
  readonly operation: OperationName
  /** from path and query, not validated yet */
  readonly asked?: (request: FastifyRequest) => Asked
  /** from the body, validated */
  readonly askedBody?: (request: FastifyRequest) => Asked
  /** the route writes what came of it itself, in the transaction of the act */
  readonly writesOutcome?: true
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
  }
  interface FastifyRequest {
    subject: Subject | null
    refused: ExchangeError | null
    /** what the audit log says of this request; null while it is not audited */
    audited: AuditFacts | null
  }
}

export type Guard = {
  /** before any route */
  install(server: FastifyInstance): void
}

const STATUS_REFUSED = 400

export const purposeOf = (header: unknown): { readonly purpose: string | null; readonly deal: string | null } => {
  if (header === undefined) return { purpose: null, deal: null }
  const [, purpose = '', deal = null] = /^([a-z]{1,20})(?:; ?deal=([\x21-\x7e]{1,128}))?$/.exec(String(header)) ?? []
  if (isPurpose(purpose)) return { purpose, deal }
  throw new ExchangeError(
    'REQUEST_INVALID',
    `Hutong-Purpose: expected one of ${Object.keys(PURPOSES).join(', ')}, and "; deal=" with a key`,
  )
}

const problemOf = (decision: Exclude<Decision, { allow: true }>): ExchangeError => new ExchangeError(decision.code, decision.reason)

/** What of a dataset the caller may see. */
export const scopeOf = (request: FastifyRequest, dataset: string): RowScope => {
  const operation = request.routeOptions.config.access?.operation
  if (request.subject === null || operation === undefined) return { regions: [], sectors: [] }
  return rowScope(request.subject, operation, dataset)
}

export function createGuard(options: {
  readonly authenticate: (request: FastifyRequest) => Promise<Subject | null>
  readonly audit: AuditLog
  readonly duties: Duties
  readonly pseudonyms: Pseudonyms
  readonly clock: () => Date
}): Guard {
  const { audit, duties, pseudonyms } = options

  function factsOf(
    request: FastifyRequest,
    subject: Subject,
    operation: OperationName,
    asked: Asked,
    decision: string,
  ): AuditFacts {
    const { purpose, deal } = purposeOf(request.headers['hutong-purpose'])
    const { dataset, key, name } = asked
    return {
      at: options.clock().toISOString(),
      actor: subject.id,
      roles: subject.roles.join(' '),
      operation,
      resource: dataset !== undefined && key !== undefined ? pseudonyms.key(dataset, key) : (name ?? dataset ?? null),
      decision,
      purpose,
      deal: asked.deal !== undefined ? pseudonyms.deal(asked.deal) : deal === null ? null : pseudonyms.deal(deal),
      request: pseudonyms.request(`${request.method} ${request.url}`),
    }
  }

  async function judge(request: FastifyRequest, { operation }: RouteAccess, asked: Asked): Promise<void> {
    const { subject } = request
    const row = operationNamed(operation)
    const deal = asked.deal === undefined || subject === null || row?.duty === undefined ? null : pseudonyms.deal(asked.deal)
    const held = deal === null || subject === null ? [] : await duties.held(deal, subject.id)
    const decision = decide(subject, operation, { ...asked, duties: held })
    if (decision.allow) {
      if (deal !== null && subject !== null && subject.kind !== 'operator' && row?.duty !== undefined)
        await duties.take([deal], subject.id, row.duty)
      return
    }
    if (subject !== null) await audit.append(factsOf(request, subject, operation, asked, decision.code))
    throw problemOf(decision)
  }

  async function identify(request: FastifyRequest): Promise<void> {
    try {
      request.subject = await options.authenticate(request)
    } catch (error) {
      // Told after the rate limit has counted it.
      if (!isExchangeError(error)) throw error
      request.refused = error
    }
  }

  async function admit(request: FastifyRequest): Promise<void> {
    const { access } = request.routeOptions.config
    if (access === undefined || operationNamed(access.operation)?.kind === 'open') return
    if (request.refused !== null) throw request.refused
    if (request.subject === null)
      throw new ExchangeError(
        'REQUEST_UNAUTHORIZED',
        'expected the header Authorization: Bearer with an access token of this program',
      )
    await judge(request, access, access.asked?.(request) ?? {})
  }

  async function enter(request: FastifyRequest): Promise<void> {
    const { access } = request.routeOptions.config
    const { subject } = request
    const row = access === undefined ? undefined : operationNamed(access.operation)
    if (access === undefined || row === undefined || row.kind === 'open' || subject === null) return
    const asked = { ...access.asked?.(request), ...access.askedBody?.(request) }
    if (access.askedBody !== undefined) await judge(request, access, asked)
    if (!isAudited(row, asked.dataset)) return
    const facts = factsOf(request, subject, access.operation, asked, 'allow')
    await audit.append(facts)
    if (row.kind !== 'read' && access.writesOutcome !== true) request.audited = facts
  }

  async function leave(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { audited } = request
    if (audited === null) return
    request.audited = null
    const decision = reply.statusCode < STATUS_REFUSED ? 'done' : `failed:${reply.statusCode}`
    await audit.append({ ...audited, at: options.clock().toISOString(), decision })
  }

  return {
    install(server) {
      server.decorateRequest('subject', null)
      server.decorateRequest('refused', null)
      server.decorateRequest('audited', null)
      server.addHook('onRoute', route => {
        if (operationNamed(route.config?.access?.operation ?? '') !== undefined) return
        throw new ExchangeError(
          'CONFIG_INVALID',
          `${String(route.method)} ${route.url} names no operation, so nobody could be kept out`,
        )
      })
      server.addHook('onRequest', identify)
      server.addHook('preParsing', admit)
      server.addHook('preHandler', enter)
      server.addHook('onSend', leave)
    },
  }
}
