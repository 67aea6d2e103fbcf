/**
 * Personal data never leaves its province (DESIGN §1.5), and what is never replicated is dropped before anything else sees it,
 * the quarantine included: a refused row must not become the place where telephone numbers are kept.
 */

import { isIdentityNumber } from '../schemas/codes/identity-number.ts'

/** 公共资源交易平台系统数据规范: the expert's fields never replicated, and those of the same nature in its other tables. */
export const PERSONAL_FIELDS: ReadonlySet<string> = new Set([
  'ID_CARD',
  'ID_CARD_TYPE',
  'EXPERT_NAME',
  'BIRTHDAY',
  'SEX',
  'COMPANY',
  'POST_ADDRESS',
  'PHONE_NUMBER',
  'LEGAL_REPRESENT',
  'LEGAL_REPRESENT_CODE',
  'LEGAL_CONTACT',
  'LEGAL_CONTACT_PHONE',
  'LEGAL_CONTACT_ADDRESS',
  'LEGAL_PHONE',
  'LEGAL_EMAIL',
  'CONTACT',
  'CONTACT_NAME',
  'CONTACT_PHONE',
  'CONTACT_ADDRESS',
  'LINKMAN',
  'EMAIL',
  'MOBILE',
  'PHONE',
  'TENDERER_CONTACT',
  'TENDERER_PHONE',
  'TENDER_AGENCY_CONTACT',
  'TENDER_AGENCY_PHONE',
  'BIDDER_CONTACT',
  'BIDDER_PHONE',
  'PROJECT_MANAGER',
  'PROJECT_MANAGER_CODE',
])

/** Column headings of local extracts that hold the same. */
export const PERSONAL_COLUMNS: ReadonlySet<string> = new Set([
  ...PERSONAL_FIELDS,
  '法定代表人',
  '法人代表',
  '法人姓名',
  '负责人',
  '联系人',
  '联系电话',
  '联系方式',
  '电话',
  '手机',
  '手机号',
  '手机号码',
  '电子邮箱',
  '邮箱',
  '身份证号',
  '身份证号码',
  '证件号码',
  '通信地址',
  '姓名',
  '专家姓名',
  '性别',
  '出生日期',
  '工作单位',
  '项目经理',
])

/** Open Contracting 1.1 and its extensions: building blocks that describe a person or how to reach one. */
export const PERSONAL_MEMBERS: ReadonlySet<string> = new Set([
  'contactPoint',
  'contactPoints',
  'additionalContactPoints',
  'beneficialOwners',
  'people',
  'persones',
  'shareholders',
])

const IDENTITY_SHAPE = /(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])/g

/** The text with every identity number in it made unreadable. */
export const maskIdentityNumbers = (text: string): string =>
  text.replaceAll(IDENTITY_SHAPE, found => (isIdentityNumber(found) ? '*'.repeat(18) : found))

/** Whether a text holds an identity number anywhere. */
export const holdsIdentityNumber = (text: string): boolean => maskIdentityNumbers(text) !== text
