/** Databases and roles of the embedded server: one of each per program, without rights on another's. */

import { Client } from 'pg'
import { ExchangeError } from '../../schemas/errors.ts'
import { translateDatabaseError } from './faults.ts'

type Target = { readonly port: number; readonly role: string; readonly password: string; readonly database: string }

export const urlOf = ({ port, role, password, database }: Target): string =>
  `postgres://${encodeURIComponent(role)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`

const asSuperuser = async <T>(url: string, work: (client: Client) => Promise<T>): Promise<T> => {
  const client = new Client({ connectionString: url, application_name: 'hutong-setup', connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // the query under way rejects as well
  try {
    await client.connect()
    // two programs that set up the same server at once take turns
    await client.query("SELECT pg_advisory_lock(hashtext('hutong setup'))")
    return await work(client)
  } catch (error) {
    throw translateDatabaseError(error)
  } finally {
    await client.end().catch(() => {})
  }
}

/** Not every build carries lz4, so that a configuration file naming it could keep the server from starting. */
const COMPRESSION = `
  SELECT name FROM pg_settings
  WHERE name IN ('wal_compression', 'default_toast_compression') AND 'lz4' = ANY (enumvals) AND source = 'default'`

/** Roles may not enter the server's own databases; compression is set as good as this build has it. */
export const closeToPublic = (url: string): Promise<void> =>
  asSuperuser(url, async client => {
    for (const database of ['postgres', 'template1']) await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`)
    const { rows } = await client.query<{ name: string }>(COMPRESSION)
    for (const { name } of rows) await client.query(`ALTER SYSTEM SET ${name} = 'lz4'`)
    if (rows.length > 0) await client.query('SELECT pg_reload_conf()')
  })

const NAME = /^[a-z][a-z0-9_]{0,62}$/

const parseName = (name: string): string => {
  if (NAME.test(name)) return name
  throw new ExchangeError(
    'CONFIG_INVALID',
    `a database or role is named by ${NAME.source}, not ${JSON.stringify(name.slice(0, 80))}`,
  )
}

/** Makes role and database where they are missing; an existing role gets the password given. Answers the role's URL. */
export const createDatabase = async (url: string, target: Target): Promise<string> => {
  const [database, role] = [parseName(target.database), parseName(target.role)]
  return asSuperuser(url, async client => {
    const roles = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role])
    const rights = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'
    const verb = roles.rowCount === 0 ? 'CREATE' : 'ALTER'
    await client.query(`${verb} ROLE "${role}" ${rights} PASSWORD ${client.escapeLiteral(target.password)}`)
    const databases = await client.query('SELECT FROM pg_database WHERE datname = $1', [database])
    if (databases.rowCount === 0) await client.query(`CREATE DATABASE "${database}" OWNER "${role}" TEMPLATE template0`)
    // said again each time: a start killed between the two would have left the door open
    await client.query(`REVOKE ALL ON DATABASE "${database}" FROM PUBLIC`)
    await client.query(`ALTER DATABASE "${database}" OWNER TO "${role}"`)
    return urlOf(target)
  })
}
