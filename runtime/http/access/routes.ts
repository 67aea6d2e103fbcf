/** The token endpoint (RFC 6749 §3.2, its own form of errors) and the register of clients, for the security administrator. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Kysely, Transaction } from 'kysely'
import { ERRORS, ExchangeError, isExchangeError } from '../../../schemas/errors.ts'
import type { AuditLog } from '../../audit/log.ts'
import type { Pseudonyms } from '../../audit/pseudonyms.ts'
import type { AuditTables } from '../../audit/tables.ts'
import { parseClient } from './client-description.ts'
import type { ClientRegistry } from './client-registry.ts'
import type { AccessTables } from './tables.ts'
import type { TokenServer } from './token-server.ts'

const FORM = 'application/x-www-form-urlencoded'
const FORM_BYTES = 16_384
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const TOKEN_PATH = '/oauth/token'

/** RFC 6749 §5.2 */
const oauthError = (reply: FastifyReply, status: number, error: string, description: string): FastifyReply =>
  reply.code(status).header('cache-control', 'no-store').type('application/json').send({ error, error_description: description })

const once = (form: URLSearchParams, name: string): string | null => (form.getAll(name).length === 1 ? form.get(name) : null)

export function addAccessRoutes(
  server: FastifyInstance,
  options: {
    readonly db: Kysely<AccessTables & AuditTables>
    readonly clients: ClientRegistry
    readonly tokens: TokenServer
    readonly audit: AuditLog
    readonly pseudonyms: Pseudonyms
    readonly clock: () => Date
  },
): void {
  const { db, clients, tokens, audit, pseudonyms, clock } = options
  server.addContentTypeParser(FORM, { parseAs: 'string', bodyLimit: FORM_BYTES }, (_request, body, done) => done(null, body))

  server.post<{ Body: string }>(
    TOKEN_PATH,
    {
      config: { access: { operation: 'token.issue' } },
      schema: {
        summary: 'An access token for a client that signs an assertion (RFC 6749 §4.4, RFC 7523 §2.2)',
        description: `The assertion's aud is ${tokens.issuer}.`,
        tags: ['access'],
        consumes: [FORM],
        body: { type: 'string' },
      },
    },
    async ({ body }, reply) => {
      const form = new URLSearchParams(body)
      if (once(form, 'grant_type') !== 'client_credentials')
        return oauthError(reply, 400, 'unsupported_grant_type', 'expected grant_type client_credentials')
      const assertion = once(form, 'client_assertion')
      if (once(form, 'client_assertion_type') !== ASSERTION_TYPE || assertion === null)
        return oauthError(reply, 400, 'invalid_request', `expected client_assertion_type ${ASSERTION_TYPE} and client_assertion`)
      try {
        const issued = await tokens.exchange(assertion)
        return reply.header('cache-control', 'no-store').send(issued)
      } catch (error) {
        if (!isExchangeError(error) || error.code !== 'REQUEST_UNAUTHORIZED') throw error
        return oauthError(reply, 401, 'invalid_client', `${error.reason} ${ERRORS.REQUEST_UNAUTHORIZED.zh}`)
      }
    },
  )

  const nobodyHimself = (request: FastifyRequest, id: string): void => {
    if (request.subject?.id === id) throw new ExchangeError('ACCESS_DENIED', 'nobody changes or removes the rights of himself')
  }

  /** The change and the entry that says so, in one transaction. */
  async function change(
    request: FastifyRequest,
    id: string,
    act: (trx: Transaction<AccessTables>) => Promise<void>,
  ): Promise<void> {
    const operation = request.routeOptions.config.access?.operation ?? ''
    await db.transaction().execute(async trx => {
      await act(trx as unknown as Transaction<AccessTables>)
      await audit.appendIn(trx as unknown as Transaction<AuditTables>, [
        {
          at: clock().toISOString(),
          actor: request.subject?.id ?? '',
          roles: request.subject?.roles.join(' ') ?? '',
          operation,
          resource: `client/${id}`,
          decision: 'done',
          purpose: null,
          deal: null,
          request: pseudonyms.request(`${request.method} ${request.url}`),
        },
      ])
    })
    clients.changed()
  }

  server.get(
    '/v1/access/clients',
    {
      config: { access: { operation: 'client.read' } },
      schema: { summary: 'Registered clients and their rights', tags: ['access'] },
    },
    async () => ({ issuer: tokens.issuer, clients: await clients.list() }),
  )

  server.put<{ Params: { id: string }; Body: object }>(
    '/v1/access/clients/:id',
    {
      config: {
        access: {
          operation: 'client.add',
          asked: request => ({ name: `client/${(request.params as { id: string }).id}` }),
          writesOutcome: true,
        },
      },
      schema: {
        summary: 'Registers a client, or replaces its keys and rights',
        tags: ['access'],
        params: { type: 'object', properties: { id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{1,62}$' } } },
        body: { type: 'object' },
      },
    },
    async (request, reply) => {
      nobodyHimself(request, request.params.id)
      const client = await parseClient({ ...(request.body as object), id: request.params.id })
      await change(request, client.id, trx => clients.put(trx, client, request.subject?.id ?? ''))
      return reply.code(201).send({ id: client.id, keys: client.keys.map(({ kid }) => kid), roles: client.roles })
    },
  )

  server.delete<{ Params: { id: string } }>(
    '/v1/access/clients/:id',
    {
      config: {
        access: {
          operation: 'client.remove',
          asked: request => ({ name: `client/${(request.params as { id: string }).id}` }),
          writesOutcome: true,
        },
      },
      schema: {
        summary: 'Removes a client: its tokens are good for nothing from now on',
        tags: ['access'],
        params: { type: 'object', properties: { id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{1,62}$' } } },
      },
    },
    async request => {
      const { id } = request.params
      nobodyHimself(request, id)
      await change(request, id, trx => clients.remove(trx, id, clock()))
      return { id, removed: true }
    },
  )
}
