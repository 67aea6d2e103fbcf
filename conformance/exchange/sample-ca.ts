/**
 * Certification authorities for tests, made by the `openssl` command: what is verified here was made by somebody else. A test that
 * needs them skips aloud where the command is absent.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const hasOpenssl = (): boolean => {
  const there = spawnSync('openssl', ['version'], { encoding: 'utf8' }).status === 0
  if (!there) process.stderr.write('skipped: no openssl command here\n')
  return there
}

export type SampleKey = 'P-256' | 'SM2' | 'RSA'
const NEW_KEY: { readonly [key in SampleKey]: readonly string[] } = {
  'P-256': ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  SM2: ['SM2'],
  RSA: ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
}
const SM2_SIGNS = ['-sm3', '-sigopt', 'distid:1234567812345678']
const signing = (key: SampleKey): readonly string[] => (key === 'SM2' ? SM2_SIGNS : ['-sha256'])

export type SampleCa = {
  readonly pem: string
  readonly der: Buffer
  readonly certificateFile: string
  /** a certificate under it */
  issue(
    name: string,
    options?: IssueOptions,
  ): { readonly pem: string; readonly der: Buffer; readonly serial: string; readonly keyFile: string }
  issueCa(name: string, key?: SampleKey): SampleCa
  /** DER of the list of these serial numbers (hexadecimal) */
  crl(revoked: readonly string[], options?: { readonly number?: number; readonly days?: number; readonly delta?: number }): Buffer
}
export type IssueOptions = {
  readonly key?: SampleKey
  readonly usage?: string
  readonly days?: number
  /** lines of an extensions section */
  readonly extensions?: readonly string[]
}

const CA_EXTENSIONS = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign', 'subjectKeyIdentifier=hash']

export const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')

/** Everything of one authority lies in a folder below `home`. */
export function createSampleCa(home: string, name: string, key: SampleKey = 'P-256'): SampleCa {
  const folder = folderFor(home, name)
  newKey(folder, 'key.pem', key)
  run(folder, [
    'req',
    '-x509',
    '-new',
    '-key',
    'key.pem',
    '-out',
    'certificate.pem',
    '-days',
    '3650',
    '-subj',
    `/C=CN/O=${name}/CN=${name}`,
    '-utf8',
    ...signing(key),
    ...CA_EXTENSIONS.flatMap(one => ['-addext', one]),
  ])
  return caOf(home, folder, key)
}

let folders = 0
function folderFor(home: string, name: string): string {
  folders += 1
  const folder = join(home, `ca-${folders}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'name'), name)
  return folder
}

function run(folder: string, args: readonly string[]): void {
  execFileSync('openssl', [...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

// A key that `req` makes itself is taken for one of ECDSA, whatever its curve.
function newKey(folder: string, file: string, key: SampleKey): void {
  run(folder, ['genpkey', '-algorithm', ...NEW_KEY[key], '-out', file])
}

function caOf(home: string, folder: string, key: SampleKey): SampleCa {
  const certificateFile = join(folder, 'certificate.pem')
  const pem = readFileSync(certificateFile, 'utf8')
  let issued = 0

  function certify(name: string, options: IssueOptions & { readonly lines: readonly string[] }) {
    issued += 1
    const serial = `10${issued.toString(16).padStart(6, '0')}`
    const leaf = options.key ?? key
    const at = (end: string): string => join(folder, `leaf-${issued}${end}`)
    writeFileSync(at('.ext'), `${options.lines.join('\n')}\n`)
    newKey(folder, at('.key'), leaf)
    run(folder, [
      'req',
      '-new',
      '-key',
      at('.key'),
      '-out',
      at('.csr'),
      '-utf8',
      '-subj',
      `/C=CN/O=${name}/CN=${name}`,
      ...signing(leaf),
    ])
    run(folder, [
      'x509',
      '-req',
      '-in',
      at('.csr'),
      '-CA',
      'certificate.pem',
      '-CAkey',
      'key.pem',
      '-set_serial',
      `0x${serial}`,
      '-days',
      String(options.days ?? 365),
      '-extfile',
      at('.ext'),
      '-out',
      at('.pem'),
      ...signing(key),
      ...(leaf === 'SM2' ? ['-vfyopt', SM2_SIGNS[2] ?? ''] : []),
    ])
    return { pemFile: at('.pem'), keyFile: at('.key'), serial }
  }

  return {
    pem,
    der: derOf(pem),
    certificateFile,
    issue(name, options = {}) {
      const lines = [
        'basicConstraints=CA:FALSE',
        `keyUsage=critical,${options.usage ?? 'digitalSignature,nonRepudiation'}`,
        'authorityKeyIdentifier=keyid',
        ...(options.extensions ?? []),
      ]
      const { pemFile, keyFile, serial } = certify(name, { ...options, lines })
      const text = readFileSync(pemFile, 'utf8')
      return { pem: text, der: derOf(text), serial, keyFile }
    },
    issueCa(name, own = key) {
      const { pemFile, keyFile } = certify(name, {
        key: own,
        days: 3000,
        lines: [...CA_EXTENSIONS, 'authorityKeyIdentifier=keyid'],
      })
      const inner = folderFor(home, name)
      writeFileSync(join(inner, 'certificate.pem'), readFileSync(pemFile))
      writeFileSync(join(inner, 'key.pem'), readFileSync(keyFile))
      return caOf(home, inner, own)
    },
    crl(revoked, { number = 1, days = 30, delta } = {}) {
      const lines = revoked.map(serial => `R\t301231235959Z\t260101000000Z,keyCompromise\t${serial.toUpperCase()}\tunknown\t/CN=x`)
      writeFileSync(join(folder, 'index.txt'), lines.length === 0 ? '' : `${lines.join('\n')}\n`)
      writeFileSync(join(folder, 'crlnumber'), `${number.toString(16).padStart(2, '0')}\n`)
      const deltaLine = delta === undefined ? '' : `2.5.29.27=critical,DER:0201${delta.toString(16).padStart(2, '0')}\n`
      writeFileSync(
        join(folder, 'ca.cnf'),
        `[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=crlnumber\ncertificate=certificate.pem\nprivate_key=key.pem\ndefault_md=${key === 'SM2' ? 'sm3' : 'sha256'}\ndefault_crl_days=${days}\ncrl_extensions=crl\n[crl]\nauthorityKeyIdentifier=keyid\n${deltaLine}`,
      )
      run(folder, [
        'ca',
        '-config',
        'ca.cnf',
        '-gencrl',
        '-out',
        'list.pem',
        ...(key === 'SM2' ? ['-sigopt', 'distid:1234567812345678'] : []),
      ])
      run(folder, ['crl', '-in', 'list.pem', '-outform', 'DER', '-out', 'list.der'])
      return readFileSync(join(folder, 'list.der'))
    },
  }
}
