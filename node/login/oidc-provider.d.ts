/** What we use of the package, which has no types of its own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export type Interaction = {
    readonly uid: string
    readonly exp: number
    readonly prompt: { readonly name: string }
    readonly params: { readonly [name: string]: unknown }
  }
  export class Provider {
    constructor(issuer: string, configuration: object)
    proxy: boolean
    readonly issuer: string
    readonly Grant: new (given: {
      readonly clientId: string
      readonly accountId: string
    }) => { addOIDCScope(scope: string): void; save(ttl?: number): Promise<string> }
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    /** @throws SessionNotFound */
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionResult(request: IncomingMessage, response: ServerResponse, result: object): Promise<string>
    on(event: string, listener: (...given: readonly unknown[]) => void): this
  }
  export const interactionPolicy: { base(): { remove(prompt: string): void } }
  export const errors: {
    readonly InvalidGrant: new (detail: string) => Error
    readonly SessionNotFound: new (...given: never[]) => Error
  }
}
