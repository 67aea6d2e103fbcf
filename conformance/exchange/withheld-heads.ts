/**
 * What a hub does that wants one reader not to hear one origin's heads: it signs that reader's broker token with a rule against them. The
 * broker then takes the reader's subscription, says nothing, and leaves those heads out.
 */
import { readFile } from 'node:fs/promises'
import { encodeUser } from '@nats-io/jwt'
import { fromPublic, fromSeed } from '@nats-io/nkeys'
import { acceptToken, prepareCredentials } from '../../runtime/broker/credentials.ts'
import { heardSubject } from '../../schemas/subjects.ts'
import type { TestbedOptions } from './testbed.ts'

type AuthorityFile = { readonly members: { readonly [code: string]: { readonly account: string; readonly signer: string } } }

export const withholdHeads =
  (origin: string, reader: string): NonNullable<TestbedOptions['interfere']> =>
  async (secrets, { authorityFile }) => {
    const { members } = JSON.parse(await readFile(authorityFile, 'utf8')) as AuthorityFile
    const keys = members[reader]
    if (keys === undefined) throw new Error(`no account of ${reader}`)
    const path = secrets.brokerCredentialsFile(reader)
    const { key } = await prepareCredentials(path)
    const signer = fromSeed(new TextEncoder().encode(keys.signer))
    const rule = { allowed_connection_types: ['STANDARD' as const], sub: { deny: [heardSubject(origin, 'all')] } }
    await acceptToken(path, await encodeUser(`hutong-${reader}`, fromPublic(key), fromPublic(keys.account), rule, { signer }))
  }
