/**
 * How requests are checked against their schemas. A body means what it says: no coercion, nothing added, nothing removed. The parts
 * that are text by nature (query, path, headers) are converted to the type that the schema names. An unknown query parameter is
 * refused, because a mistyped filter would otherwise answer another question than the one asked.
 */
import { Ajv2020, type Options, type SchemaObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'
import type { FastifyValidationResult } from 'fastify/types/schema.d.ts'

/** Listing every fault of a large body would cost more memory than the body: past this, the first fault has to do. */
const LISTED_BODY_CHARACTERS = 65_536

const STRICT: Options = { strict: true, strictTypes: false, strictRequired: false, removeAdditional: false }

const newAjv = (options: Options, shared: SharedSchemas): Ajv2020 => {
  const ajv = new Ajv2020({ ...STRICT, ...options })
  addFormats.default(ajv)
  // Annotations of OpenAPI and of our own schemas, which strict mode would take for misspelt rules.
  ajv.addVocabulary(['example', 'x-zh', 'x-source'])
  for (const schema of Object.values(shared)) ajv.addSchema(schema as SchemaObject)
  return ajv
}

const listingFaults =
  (first: ValidateFunction, all: ValidateFunction): FastifyValidationResult =>
  data => {
    if (first(data)) return true
    const listed = JSON.stringify(data).length <= LISTED_BODY_CHARACTERS && !all(data)
    return { error: (listed ? all.errors : first.errors) ?? [] }
  }

type SharedSchemas = { readonly [id: string]: unknown }

/** Given to Fastify as the factory of its validators: one compiler for each set of shared schemas. */
export const buildValidator = (shared: SharedSchemas): FastifySchemaCompiler<SchemaObject> => {
  const body = newAjv({}, shared)
  const bodyAll = newAjv({ allErrors: true }, shared)
  const text = newAjv({ allErrors: true, coerceTypes: true, useDefaults: true }, shared)
  return ({ schema, httpPart }) =>
    httpPart === 'body'
      ? listingFaults(body.compile(schema), bodyAll.compile(schema))
      : (text.compile(schema) as FastifyValidationResult)
}

const CLOSED = { type: 'object', additionalProperties: false }

/** Closes the query of every route registered from now on; a route that means to take any parameter says so in its schema. */
export const closeQueries = (server: FastifyInstance): void => {
  server.addHook('onRoute', route => {
    const given = route.schema?.querystring as SchemaObject | undefined
    const open = given && ('additionalProperties' in given || 'unevaluatedProperties' in given || '$ref' in given)
    if (!open) route.schema = { ...route.schema, querystring: { ...CLOSED, ...given } }
  })
}
