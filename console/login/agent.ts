/**
 * The signer on this machine: a program that holds the key (SM2 and old PKCS #12 files too) and listens on loopback.
 *
 *   GET  http://127.0.0.1:17421/v1/certificates → {"certificates": [{"certificate": "MIIC…", "label": "…"}]}
 *   POST http://127.0.0.1:17421/v1/signatures   {"statement": "hutong-login-1\n…", "certificate": "MIIC…"}
 *                                               → {"certificate", "algorithm", "signature", "chain"}
 *
 * It answers pages of the origins that its user allowed, signs nothing but login statements whose issuer is the page that asks, and
 * refuses with {"zh", "en"}. `hutong certificate signer` is one; whoever builds another keeps to this.
 */
import { isLoginSignature } from '../../schemas/login/signatures.ts'
import { type ListedCertificate, type LoginSigner, type SignedLogin, SignerFault } from './signer.ts'

export const AGENT_PORT = 17_421
const TIMEOUT_MS = 120_000
const LIST_MAX = 32

type Answer = { readonly [name: string]: unknown }

export function agentSigner(port: number, ask: typeof fetch = fetch): LoginSigner {
  async function call(path: string, body?: object): Promise<Answer> {
    const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await ask(`http://127.0.0.1:${port}${path}`, {
      ...(body === undefined ? {} : posted),
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => {
      throw new SignerFault(
        `本机端口 ${port} 上没有签名程序，请先启动。`,
        `No signer answers at port ${port} of this machine; start it first.`,
      )
    })
    const value = (await answer.json().catch((): null => null)) as Answer | null
    if (answer.ok && value !== null) return value
    const said = (name: string, otherwise: string): string =>
      typeof value?.[name] === 'string' ? String(value[name]).slice(0, 300) : otherwise
    throw new SignerFault(said('zh', '签名程序拒绝签名。'), said('en', 'The signer refused.'))
  }
  return {
    id: 'agent',
    zh: '本机签名程序',
    en: 'Signer on this machine',
    async certificates() {
      const { certificates } = await call('/v1/certificates')
      const list: readonly unknown[] = Array.isArray(certificates) ? certificates.slice(0, LIST_MAX) : []
      return list.filter((one): one is ListedCertificate => {
        const { certificate, label } = (one ?? {}) as Partial<ListedCertificate>
        return typeof certificate === 'string' && typeof label === 'string'
      })
    },
    async sign({ text, certificate }): Promise<SignedLogin> {
      const answer = await call('/v1/signatures', { statement: text, ...(certificate === undefined ? {} : { certificate }) })
      const { certificate: own, algorithm, signature, chain } = answer
      if (typeof own !== 'string' || typeof signature !== 'string' || !isLoginSignature(algorithm))
        throw new SignerFault('签名程序的应答不符合约定。', 'The signer did not answer as agreed.')
      const above = Array.isArray(chain) ? chain.filter(one => typeof one === 'string') : []
      return { certificate: own, algorithm, signature, chain: above }
    },
  }
}
