/** The embedded broker's configuration file. NATS reads JSON as a subset of its own format, so that nothing needs quoting by hand. */

import { ExchangeError } from '../../schemas/errors.ts'
import type { AccountClaim } from './authority.ts'

/** A server's place in a cluster on loopback. JetStream knows its peers by name, so the name stays the same between starts. */
export type BrokerCluster = {
  readonly name: string
  readonly server: string
  readonly port: number
  readonly routes: readonly number[]
}

/** Whom the broker believes: who is admitted, and to what, is said by account tokens under the operator's signature alone. */
export type BrokerTrust = { readonly operatorToken: string; readonly system: AccountClaim }
/** PEM files, the key owner-only. */
export type BrokerTls = { readonly certFile: string; readonly keyFile: string }

export type BrokerConfiguration = {
  readonly name: string
  readonly port: number
  readonly storeDir: string
  /** account tokens as they were pushed */
  readonly accountsDir: string
  readonly logFile: string
  readonly trust: BrokerTrust
  readonly tls?: BrokerTls | undefined
  readonly cluster?: BrokerCluster | undefined
}

const MAX_PAYLOAD_BYTES = 1_048_576
/** What a client connects with: its token and signature stand in it. */
const MAX_CONTROL_LINE_BYTES = 4096
/** The sum of the streams' own limits may not pass it: room for 500 members. Nothing is reserved on the disk. */
const MAX_FILE_STORE_BYTES = 1024 ** 4
const MAX_MEMORY_STORE_BYTES = 64 * 1024 ** 2

const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/
const PUBLIC_ACCOUNT = /^A[A-Z2-7]{55}$/

/**
 * The part that an operator of a broker of their own takes into its configuration, too: with it that broker believes the federation's
 * hub, and nothing else about its members need be configured.
 * @throws CONFIG_INVALID for what is no token or account of NATS
 */
export function trustConfiguration({ operatorToken, system }: BrokerTrust, accountsDir: string): { [name: string]: unknown } {
  if (!TOKEN.test(operatorToken) || !TOKEN.test(system.token) || !PUBLIC_ACCOUNT.test(system.account))
    throw new ExchangeError('CONFIG_INVALID', 'a broker needs the operator’s token and a system account')
  return {
    operator: operatorToken,
    system_account: system.account,
    // `full` keeps what is pushed to it, and acts on live connections at once
    resolver: { type: 'full', dir: accountsDir, allow_delete: false, interval: '2m' },
    resolver_preload: { [system.account]: system.token },
  }
}

/** @throws CONFIG_INVALID as {@link trustConfiguration} */
export const brokerConfiguration = (options: BrokerConfiguration): string => {
  const { name, port, storeDir, accountsDir, logFile, trust, tls, cluster } = options
  return `${JSON.stringify(
    {
      server_name: name,
      listen: `127.0.0.1:${port}`,
      log_file: logFile,
      logfile_size_limit: 8 * 1024 ** 2,
      logfile_max_num: 2,
      max_payload: MAX_PAYLOAD_BYTES,
      max_control_line: MAX_CONTROL_LINE_BYTES,
      jetstream: {
        store_dir: storeDir,
        max_file_store: MAX_FILE_STORE_BYTES,
        max_memory_store: MAX_MEMORY_STORE_BYTES,
        // an acknowledgement means that it is on disk, not that it will be within two minutes
        sync_interval: 'always',
      },
      ...(tls === undefined ? {} : { tls: { cert_file: tls.certFile, key_file: tls.keyFile, min_version: '1.3', timeout: 5 } }),
      ...(cluster === undefined
        ? {}
        : {
            cluster: {
              name: cluster.name,
              listen: `127.0.0.1:${cluster.port}`,
              routes: cluster.routes.map(peer => `nats-route://127.0.0.1:${peer}`),
            },
          }),
      ...trustConfiguration(trust, accountsDir),
    },
    null,
    2,
  )}\n`
}
