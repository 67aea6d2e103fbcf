/**
 * The clients of the demo: one for each role, at the hub and at every node, each with a key of its own in an owner-only file. A
 * province registers its own; only the public halves stand in the file that the program reads.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { type ClientFile, readClientFile } from '../../runtime/http/access/client.ts'
import { issuerOf } from '../../runtime/http/access/token-server.ts'
import { ROLES, type RoleName } from '../../schemas/access/roles.ts'
import { writeOwnerOnly } from './secrets.ts'

const PLATFORMS = 9

/** The hub is everybody's. */
export const regionOf = (program: string): string => (program === 'hub' ? '000000' : program)

const SCOPES: { readonly [role in RoleName]?: (code: string) => object } = {
  'local-trading-system': code => ({
    platforms: Array.from({ length: PLATFORMS }, (_, index) => `${code}-0${index + 1}`),
    per_minute: 6000,
  }),
  'sector-supervisor': code => ({ regions: [regionOf(code)], sectors: ['A01', 'A02'] }),
  'comprehensive-supervisor': code => ({ regions: [regionOf(code)] }),
}

export const DEMO_CLIENTS: readonly RoleName[] = ROLES.filter(role => role.group !== 'bootstrap').map(role => role.name)

export type Clients = {
  /** for the program to read */
  readonly file: string
  /** owner-only, for whoever plays the role */
  clientFile(role: RoleName): string
}

/** For the federation file: role → file of its key. */
export const clientFiles = (clients: Clients | undefined): { readonly [role: string]: string } =>
  Object.fromEntries(clients === undefined ? [] : DEMO_CLIENTS.map(role => [role, clients.clientFile(role)]))

export async function prepareClients(secretsDir: string, fed: string, program: string): Promise<Clients> {
  const clientFile = (role: RoleName): string => join(secretsDir, `client-${program}-${role}.json`)
  const described: object[] = []
  for (const role of DEMO_CLIENTS) {
    const { id, jwk } = await keptClient(clientFile(role), role, issuerOf(fed, program))
    const { d: _, ...publicJwk } = jwk
    described.push({ id, keys: [publicJwk], roles: [role], ...SCOPES[role]?.(program) })
  }
  const file = join(secretsDir, `clients-${program}.json`)
  await writeOwnerOnly(file, `${JSON.stringify(described, null, 2)}\n`)
  return { file, clientFile }
}

async function keptClient(path: string, id: string, issuer: string): Promise<ClientFile> {
  const there = await access(path).then(
    () => true,
    () => false,
  )
  if (!there) {
    const { privateKey } = await generateKeyPair('Ed25519', { extractable: true })
    await writeOwnerOnly(path, `${JSON.stringify({ id, issuer, jwk: await exportJWK(privateKey) })}\n`)
  }
  return readClientFile(path)
}
