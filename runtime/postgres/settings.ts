/**
 * The configuration files of the embedded server, written anew at every start. The sizes are for 2 cores and 24 GiB shared by six
 * programs; what an operator sets with ALTER SYSTEM stands above them, in postgresql.auto.conf.
 */

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  client_encoding: 'UTF8',
  // a statement that failed would stand in the log with its values, a created role with its password
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] %q%d %a ',
}

export const postgresqlConf = (port: number): string =>
  [
    '# Written by hutong at every start: set your own with ALTER SYSTEM.',
    ...Object.entries({ ...SETTINGS, port: String(port) }).map(([name, value]) => `${name} = '${value}'`),
    '',
  ].join('\n')

/** No line for local sockets, replication or other machines: what is not listed is refused. */
export const PG_HBA_CONF = `# Written by hutong at every start.
host all all 127.0.0.1/32 scram-sha-256
`
