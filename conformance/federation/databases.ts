/** A database and a role of its own for each program, on the embedded server or on the one that DATABASE_URL names. */
import { createDatabase } from '../../runtime/postgres/databases.ts'
import type { PostgresServer } from '../../runtime/postgres/server.ts'

export type DatabaseServer = Pick<PostgresServer, 'url' | 'createDatabase'>

/** The server of an operator: nothing there is changed but the databases and roles that are made. */
export const givenServer = (url: string): DatabaseServer => ({
  url,
  async createDatabase(database, role, password) {
    await createDatabase(url, { database, role, password, port: 0 })
    const target = new URL(url)
    target.username = role
    target.password = encodeURIComponent(password)
    target.pathname = `/${database}`
    return target.href
  },
})

/** PostgreSQL names: the federation's identifier keeps two federations on one server apart. */
export const databaseName = (fed: string, program: string): string =>
  `hutong_${fed}_${program}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_')
    .slice(0, 63)
