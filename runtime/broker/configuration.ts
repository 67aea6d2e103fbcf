/** The embedded broker's configuration file. NATS reads JSON as a subset of its own format, so that nothing needs quoting by hand. */

import { ExchangeError } from '../../schemas/errors.ts'

/** What is not listed is refused. */
export type BrokerUser = {
  readonly user: string
  readonly password: string
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** within what it may subscribe to, what it is not given */
  readonly withheld?: readonly string[]
  /** may answer questions that it was asked, at the subject that the question names, for a short while */
  readonly answers?: boolean
}

/** a range of 64 entries and its end, within the time that the asker waits */
const ANSWERS = { max: 66, expires: '15s' }

/** A server's place in a cluster on loopback. JetStream knows its peers by name, so the name stays the same between starts. */
export type BrokerCluster = {
  readonly name: string
  readonly server: string
  readonly port: number
  readonly routes: readonly number[]
}

export type BrokerConfiguration = {
  readonly name: string
  readonly port: number
  readonly storeDir: string
  readonly logFile: string
  readonly users: readonly BrokerUser[]
  readonly cluster?: BrokerCluster | undefined
}

const MAX_PAYLOAD_BYTES = 1_048_576
/** The sum of the streams' own limits may not pass it; nothing is reserved on the disk. */
const MAX_FILE_STORE_BYTES = 16 * 1024 ** 3
const MAX_MEMORY_STORE_BYTES = 64 * 1024 ** 2

/** Tokens of printable ASCII; `*` and `>` stand alone, `>` last. */
const SUBJECT = /^(?:[\w$-]+|\*)(?:\.(?:[\w$-]+|\*))*(?:\.>)?$|^>$/

const parseSubject = (subject: string): string => {
  if (SUBJECT.test(subject)) return subject
  throw new ExchangeError('CONFIG_INVALID', `${JSON.stringify(subject)} is not a subject that a broker user can be granted`)
}

const parseCredential = (text: string, what: string): string => {
  // a password that looks like a bcrypt hash would be compared as one
  if (/^[\x21-\x7e]{1,256}$/.test(text) && !text.startsWith('$')) return text
  throw new ExchangeError('CONFIG_INVALID', `a broker ${what} is 1 to 256 printable ASCII characters, the first of them not $`)
}

/** An empty list would mean "no limit" to the broker. */
const granted = (subjects: readonly string[], withheld: readonly string[] = []) => {
  if (subjects.length === 0) return { deny: ['>'] }
  const allow = subjects.map(parseSubject)
  return withheld.length === 0 ? { allow } : { allow, deny: withheld.map(parseSubject) }
}

/** Throws CONFIG_INVALID for a credential or subject that the broker would read as something else, or a user named twice. */
export const brokerConfiguration = ({ name, port, storeDir, logFile, users, cluster }: BrokerConfiguration): string => {
  const names = users.map(({ user }) => parseCredential(user, 'user'))
  if (users.length === 0 || new Set(names).size !== names.length) {
    throw new ExchangeError('CONFIG_INVALID', 'a broker needs one user at least, each named once')
  }
  return `${JSON.stringify(
    {
      server_name: name,
      listen: `127.0.0.1:${port}`,
      log_file: logFile,
      logfile_size_limit: 8 * 1024 ** 2,
      logfile_max_num: 2,
      max_payload: MAX_PAYLOAD_BYTES,
      jetstream: {
        store_dir: storeDir,
        max_file_store: MAX_FILE_STORE_BYTES,
        max_memory_store: MAX_MEMORY_STORE_BYTES,
        // an acknowledgement means that it is on disk, not that it will be within two minutes
        sync_interval: 'always',
      },
      ...(cluster === undefined
        ? {}
        : {
            cluster: {
              name: cluster.name,
              listen: `127.0.0.1:${cluster.port}`,
              routes: cluster.routes.map(peer => `nats-route://127.0.0.1:${peer}`),
            },
          }),
      authorization: {
        timeout: 5,
        users: users.map(({ user, password, publish, subscribe, withheld = [], answers = false }) => ({
          user,
          password: parseCredential(password, 'password'),
          permissions: {
            publish: granted(publish),
            subscribe: granted(subscribe, withheld),
            ...(answers ? { allow_responses: ANSWERS } : {}),
          },
        })),
      },
    },
    null,
    2,
  )}\n`
}
