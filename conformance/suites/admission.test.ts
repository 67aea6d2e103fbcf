import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import {
  certificate,
  commonName,
  context,
  crl,
  extension,
  ia5,
  int,
  NOT_BEFORE,
  p256Key,
  pem,
  printable,
  type SampleCertificate,
  type SampleKey,
  seq,
  sm2Key,
} from '../../schemas/trust/sample-der.ts'
import { sampleSeal, sampleSealSignature } from '../../schemas/trust/sample-seals.ts'
import { readTrustList } from '../../schemas/trust/trust-list.ts'
import { runConformance } from '../program.ts'
import { formatAdmission } from './admission.ts'
import { admitCa } from './admission-ca.ts'
import { admitSealMaker } from './admission-seal.ts'

const DAY = 86_400_000
const AT = NOT_BEFORE + 100 * DAY
const USCC = makeUscc('520000', '32244566')
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function folderWith(files: { readonly [name: string]: string | Uint8Array | object }): string {
  const folder = mkdtempSync(join(tmpdir(), 'hutong-admission-'))
  folders.push(folder)
  mkdirSync(join(folder, 'certs'))
  for (const [name, content] of Object.entries(files))
    writeFileSync(
      join(folder, name),
      typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    )
  return folder
}

const points = extension('2.5.29.31', seq(seq(context(0, context(0, context(6, Buffer.from('http://crl.example/ca.crl'), false))))))
const subject = commonName('示例建设公司', '示例建设公司')
const ENCRYPTS = { usages: ['keyEncipherment', 'dataEncipherment'] as const }

function authority(make: () => SampleKey, place: string) {
  const ca = certificate({ subject: commonName('示例认证机构', '示例认证机构 CA'), key: make(), ca: true })
  const extensions = [extension(place, printable(USCC)), points]
  const issue = (serial: number, more: Partial<Parameters<typeof certificate>[0]> = {}): SampleCertificate =>
    certificate({ subject, key: make(), issuer: ca, serial, extensions, ...more })
  return { ca, issue }
}

function caFolder(change: object = {}, place = '1.2.156.10260.4.4', make: () => SampleKey = () => sm2Key()) {
  const { ca, issue } = authority(make, place)
  const signing = issue(0x10)
  const encrypting = issue(0x11, ENCRYPTS)
  const revoked = issue(0x12)
  const list = crl(ca, [{ serial: revoked.serial, at: AT - DAY, reason: 4 }], { thisUpdate: AT - DAY, nextUpdate: AT + 7 * DAY })
  const forged = Buffer.from(signing.der)
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
  const manifest = {
    kind: 'ca',
    name: { zh: '示例电子认证机构', en: 'Sample authority' },
    region: '520000',
    at: new Date(AT).toISOString(),
    authorities: ['certs/ca.pem'],
    crls: ['ca.crl'],
    pairs: [{ sign: 'sign.cer', encrypt: 'encrypt.cer', holder: { uscc: USCC } }],
    renewed: [{ old: 'encrypt.cer', new: 'renewed.cer' }],
    revoked: ['revoked.cer'],
    wrong: [
      { certificate: 'expired.cer', expect: 'EXPIRED' },
      { certificate: 'forged.cer', expect: 'SIGNATURE_BAD' },
      { certificate: 'broken.cer', expect: 'CERTIFICATE_MALFORMED' },
      { certificate: 'encrypt.cer', expect: 'KEY_USAGE_REFUSED', purpose: 'login' },
      { crl: 'broken.crl', expect: 'CRL_MALFORMED' },
    ],
    ...change,
  }
  return folderWith({
    'manifest.json': manifest,
    'certs/ca.pem': pem('CERTIFICATE', ca.der),
    'ca.crl': list,
    'sign.cer': signing.der,
    'encrypt.cer': encrypting.der,
    'renewed.cer': issue(0x13, { ...ENCRYPTS, notBefore: AT - DAY }).der,
    'revoked.cer': revoked.der,
    'expired.cer': issue(0x14, { notAfter: AT - DAY }).der,
    'forged.cer': forged,
    'broken.cer': signing.der.subarray(0, 100),
    'broken.crl': list.subarray(0, 50),
  })
}

describe('the admission of a certification authority', () => {
  test('passes where every sample comes out as stated, and gives the row of a trust list with what the samples show', async () => {
    const report = await admitCa(caFolder(), Date.now())
    expect(report.cases.filter(({ ok }) => !ok)).toEqual([])
    expect(report).toMatchObject({
      passed: true,
      found: {
        profile: {
          Algorithms: ['1.2.156.10197.1.501'],
          SignerId: '1234567812345678',
          Format: 'GM/T 0015-2023',
          Holder: [{ Oid: '1.2.156.10260.4.4', Kind: 'uscc', Where: 'extension' }],
          Pair: 'separate',
          Revocation: 'crl',
        },
        crl: ['http://crl.example/ca.crl'],
      },
    })
    const claims = {
      fed: 'sample',
      iss: '520000',
      lst: '520000',
      mem: 1,
      LoTE: {
        ListAndSchemeInformation: {
          LoTEVersionIdentifier: 1,
          LoTESequenceNumber: 1,
          LoTEType: 'urn:hutong:trust:list',
          SchemeTerritory: '520000',
          SchemeOperatorName: [{ lang: 'zh', value: '示例' }],
          ListIssueDateTime: new Date(AT).toISOString(),
          NextUpdate: new Date(AT + DAY).toISOString(),
        },
        TrustedEntitiesList: report.draft?.TrustedEntitiesList,
      },
    } as unknown as Parameters<typeof readTrustList>[0]
    const [entity] = readTrustList(claims).entities
    expect(entity?.services[0]).toMatchObject({
      type: 'ca',
      crl: ['http://crl.example/ca.crl'],
      profile: { pair: 'separate', format: 'GM/T 0015-2023' },
    })
  })

  test('finds a place of the holder that is in no standard, and single keys', async () => {
    const { ca, issue } = authority(p256Key, '1.2.3.4.5')
    const folder = folderWith({
      'manifest.json': {
        kind: 'ca',
        name: '某机构',
        region: '520000',
        at: new Date(AT).toISOString(),
        authorities: ['ca.cer'],
        pairs: [{ sign: 'a.cer', holder: { uscc: USCC } }],
      },
      'ca.cer': ca.der,
      'a.cer': issue(1, { usages: ['digitalSignature', 'keyEncipherment'] }).der,
    })
    expect(await admitCa(folder, Date.now())).toMatchObject({
      passed: true,
      found: { profile: { Format: 'RFC5280', Pair: 'single', Holder: [{ Oid: '1.2.3.4.5', Kind: 'auto', Where: 'extension' }] } },
    })
  })

  test('does not pass, and gives no row, where one sample comes out otherwise', async () => {
    const report = await admitCa(
      caFolder({
        wrong: [{ certificate: 'sign.cer', expect: 'REVOKED' }],
        pairs: [{ sign: 'sign.cer', holder: { uscc: '91530000767084556F' } }],
      }),
      Date.now(),
    )
    expect(report).toMatchObject({ passed: false, draft: null })
    expect(report.cases.filter(({ ok }) => !ok).map(({ id, got }) => [id, got])).toEqual([
      ['10 holder', 'PEER_NAME_MISMATCH'],
      ['sign.cer wrong', 'GOOD'],
    ])
  })

  test('stops at a manifest that names no file of the folder, or is of another kind', async () => {
    await expect(admitCa(caFolder({ crls: ['../ca.crl'] }), Date.now())).rejects.toThrow(/SUITE_MALFORMED/)
    await expect(admitCa(caFolder({ crls: ['missing.crl'] }), Date.now())).rejects.toThrow(/SUITE_FILE_MISSING/)
    await expect(admitCa(caFolder({ kind: 'seal' }), Date.now())).rejects.toThrow(/SUITE_MALFORMED/)
    await expect(admitCa(caFolder({ authorities: [] }), Date.now())).rejects.toThrow(/SUITE_MALFORMED/)
  })

  test('is written down for people in two languages and for programs, by the command', async () => {
    const folder = caFolder()
    const said: string[] = []
    const terminal = {
      out: { write: (text: string) => said.push(text) },
      err: { write: (text: string) => said.push(text) },
    } as unknown as Parameters<typeof runConformance>[1]
    expect(await runConformance(['ca', folder], terminal)).toBe(0)
    expect(said.join('')).toContain('✔ 示例电子认证机构 Sample authority')
    const text = readFileSync(join(folder, 'admission.md'), 'utf8')
    expect(text).toContain('电子认证机构入网检验报告 Admission of a certification authority')
    expect(text).toContain('HutongCaProfile')
    expect(text).toBe(
      formatAdmission(JSON.parse(readFileSync(join(folder, 'admission.json'), 'utf8')) as Parameters<typeof formatAdmission>[0]),
    )
    expect(await runConformance(['ca', folder], terminal)).toBe(1)
    expect(await runConformance(['ca', folder, '--force'], terminal)).toBe(0)
    expect(await runConformance(['ca', join(folder, 'nowhere')], terminal)).toBe(1)
  })
})

function sealFolder(change: object = {}): string {
  const { ca, issue } = authority(() => sm2Key(), '1.2.156.10260.4.4')
  const [maker, signer, other] = [issue(1), issue(2), issue(3)]
  const validity = { createdAt: AT - 50 * DAY, validFrom: AT - 50 * DAY, validUntil: AT + 50 * DAY }
  const document = Buffer.from('中标通知书')
  const files: { [name: string]: string | Uint8Array | object } = {
    'ca.cer': ca.der,
    'maker.cer': maker.der,
    'document.bin': document,
    'other.bin': Buffer.from('x'),
  }
  for (const [tag, edition] of [
    ['a', 'GM/T 0031-2014'],
    ['b', 'GB/T 38540-2020'],
  ] as const) {
    const seal = sampleSeal({ edition, maker, holders: [signer], ...validity })
    files[`${tag}.esl`] = seal
    files[`${tag}.sig`] = sampleSealSignature({ edition, seal, signer, at: AT - DAY, document })
    files[`${tag}-stranger.sig`] = sampleSealSignature({ edition, seal, signer: other, at: AT - DAY, document })
    files[`${tag}-old.esl`] = sampleSeal({ edition, maker, holders: [signer], ...validity, validUntil: AT - DAY })
  }
  files['broken.esl'] = seq(int(1), ia5('x'))
  files['manifest.json'] = {
    kind: 'seal',
    name: { zh: '示例印章公司', en: 'Sample seal maker' },
    region: '520000',
    at: new Date(AT).toISOString(),
    makers: ['maker.cer'],
    authorities: ['ca.cer'],
    seals: [
      { file: 'a.esl' },
      { file: 'b.esl', expect: 'GOOD' },
      { file: 'a-old.esl', expect: 'SEAL_EXPIRED' },
      { file: 'b-old.esl', expect: 'SEAL_EXPIRED' },
      { file: 'broken.esl', expect: 'SEAL_MALFORMED' },
    ],
    signatures: [
      { file: 'a.sig', document: 'document.bin' },
      { file: 'b.sig', document: 'document.bin' },
      { file: 'a-stranger.sig', document: 'document.bin', expect: 'SEAL_HOLDER_DIFFERS' },
      { file: 'b.sig', document: 'other.bin', expect: 'DOCUMENT_DIGEST_DIFFERS' },
    ],
    ...change,
  }
  return folderWith(files)
}

describe('the admission of a maker of seals', () => {
  test('passes where seals and signatures of both standards come out as stated', async () => {
    const report = await admitSealMaker(sealFolder(), Date.now())
    expect(report.cases.filter(({ ok }) => !ok)).toEqual([])
    expect(report).toMatchObject({
      passed: true,
      found: {
        editions: ['GB/T 38540-2020', 'GM/T 0031-2014'],
        versions: [2, 4],
        holders: ['certificates'],
        algorithms: [{ name: 'sm2-sm3' }],
      },
      draft: {
        TrustedEntitiesList: [
          { TrustedEntityServices: [{ ServiceInformation: { ServiceTypeIdentifier: 'urn:hutong:trust:service:seal-maker' } }] },
        ],
      },
    })
  })

  test('does not pass without wrong samples, with foreign seals, or where one comes out otherwise', async () => {
    const failing = async (change: object): Promise<readonly (readonly [string, string])[]> => {
      const { cases, draft } = await admitSealMaker(sealFolder(change), Date.now())
      expect(draft).toBe(null)
      return cases.filter(({ ok }) => !ok).map(({ id, got }) => [id, got] as const)
    }
    expect(await failing({ seals: [{ file: 'a.esl' }] })).toEqual([['samples', 'SUITE_MALFORMED']])
    expect(await failing({ makers: ['ca.cer'] })).toContainEqual(['a.esl', 'SEAL_HOLDER_DIFFERS'])
    expect(
      await failing({
        signatures: [
          { file: 'a.sig', document: 'other.bin' },
          { file: 'a-stranger.sig', document: 'document.bin', expect: 'SEAL_HOLDER_DIFFERS' },
        ],
      }),
    ).toEqual([['a.sig', 'DOCUMENT_DIGEST_DIFFERS']])
  })
})
