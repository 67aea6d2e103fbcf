/** Prints what {@link verifyFile} or {@link verifyProof} finds. */
import { readFile } from 'node:fs/promises'
import { ExchangeError } from '../../schemas/errors.ts'
import { type Membership, parseMembership } from '../../schemas/membership.ts'
import { isProofFile } from '../../schemas/proof.ts'
import { EVIDENCE_CHECKS, type EvidenceVerification, isEvidenceFile, verifyEvidence } from '../../schemas/trust/evidence.ts'
import { REASONS } from '../../schemas/trust/reasons.ts'
import { formatProofVerification, verifyProof } from './proof.ts'
import { widthOf } from './table.ts'
import { both, type Terminal, writeJson } from './text.ts'
import { CHECKS, sentenceOf, type Verification, verifyFile } from './verification.ts'

const MARKS = { passed: '✔', failed: '✘', unchecked: '–' } as const
const LABEL_CELLS = 50

export function formatVerification(path: string, { kind, says, digest, valid, checks }: Verification): string {
  const lines = checks.flatMap(({ id, verdict, code, note }) => {
    const label = both(CHECKS[id])
    const head = `  ${MARKS[verdict]} ${label}${' '.repeat(Math.max(1, LABEL_CELLS - widthOf(label)))}`
    if (code === undefined) return [`${head}${note ?? ''}`.trimEnd()]
    return [`${head}${code}`, `      ${both(sentenceOf(code))}`, `      ${note ?? ''}`]
  })
  const verdict = valid
    ? { zh: '✔ 凡可离线检查的均通过。', en: 'All that can be checked offline passes.' }
    : { zh: '✘ 未通过。', en: 'Refused.' }
  return [path, `  ${kind ?? '?'}  ${says ?? '–'}`, `  ${digest}`, ...lines, both(verdict), ''].join('\n')
}

/** What a file that cannot be read is refused with. */
export const unreadable =
  (path: string, what = '文件 file') =>
  (cause: unknown): never => {
    throw new ExchangeError('REQUEST_INVALID', `${what} ${path}: 无法读取 cannot be read`, { cause })
  }
/** @throws REQUEST_INVALID, MEMBERSHIP_FILE_INVALID */
export const readMembership = async (path: string): Promise<Membership> =>
  parseMembership(await readFile(path, 'utf8').catch(unreadable(path, '成员文件 membership file')))

export type VerifyOptions = { readonly membershipFile: string; readonly anchor?: string; readonly json: boolean }

/** Evidence brings its membership log along: the anchor's fingerprint is all that has to be known, or the membership file. */
async function runVerifyEvidence(path: string, bytes: Uint8Array, options: VerifyOptions, terminal: Terminal): Promise<number> {
  const membership = options.anchor === undefined ? await readMembership(options.membershipFile) : null
  const anchors = options.anchor === undefined ? (membership?.hubKeys.map(({ kid }) => kid) ?? []) : [options.anchor]
  const found = await verifyEvidence(bytes, { anchors, membership })
  if (options.json) writeJson(terminal, { file: path, ...found })
  else terminal.out.write(formatEvidence(path, found))
  return found.valid && found.verdict?.result === 'good' ? 0 : 1
}

export function formatEvidence(path: string, { question, verdict, valid, checks }: EvidenceVerification): string {
  const lines = checks.map(({ id, about, verdict: mark, code, note }) => {
    const label = both(EVIDENCE_CHECKS[id])
    const head = `  ${MARKS[mark]} ${label}${about === null ? '' : `  ${about}`}`
    return code === undefined
      ? `${head}${note === undefined ? '' : `  ${note}`}`
      : `${head}  ${code}\n      ${both(sentenceOf(code))}\n      ${note ?? ''}`
  })
  const row = verdict === null ? null : REASONS[verdict.reason]
  const said = {
    zh: verdict === null ? '✘ 证据不成立。' : `${valid ? '✔ 证据成立' : '✘ 证据不成立'}：${row?.zh ?? ''}`,
    en:
      verdict === null
        ? 'The evidence does not hold.'
        : `${valid ? 'The evidence holds' : 'The evidence does not hold'}: ${row?.en ?? ''}`,
  }
  return [
    path,
    '  证书证据 evidence about a certificate',
    ...(question === null ? [] : [`  ${question.fingerprint}`, `  ${question.at}, ${question.purpose}`]),
    ...lines,
    `${both(said)}${verdict === null ? '' : ` (${verdict.result} ${verdict.reason})`}`,
    '',
  ].join('\n')
}

/** Exit code 0 only if everything that can be checked without a log passes; of a proof, only if it holds. @throws REQUEST_INVALID, MEMBERSHIP_FILE_INVALID */
export async function runVerify(path: string, options: VerifyOptions, terminal: Terminal): Promise<number> {
  const bytes = await readFile(path).catch(unreadable(path))
  if (isEvidenceFile(bytes)) return runVerifyEvidence(path, bytes, options, terminal)
  const membership = await readMembership(options.membershipFile)
  if (isProofFile(bytes)) {
    const proof = await verifyProof(bytes, membership)
    if (options.json) writeJson(terminal, { file: path, ...proof })
    else terminal.out.write(formatProofVerification(path, proof))
    return proof.valid ? 0 : 1
  }
  const verification = await verifyFile(bytes, membership)
  if (options.json) writeJson(terminal, { file: path, ...verification })
  else terminal.out.write(formatVerification(path, verification))
  return verification.valid ? 0 : 1
}
