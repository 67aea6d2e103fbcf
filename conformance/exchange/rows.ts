/** Rows of the national data specification, made to the measure of a test. */
export const legalPerson = (code: string, name: string, type = '1') => ({
  DATA_TYPE: type,
  DATA_KEY: code,
  TABLE: 'LEGAL_PERSON',
  DATA: {
    LEGAL_NAME: name,
    LEGAL_CODE: code,
    LEGAL_ROLE: '2',
    REGION_CODE: '530100',
    PLATFORM_CODE: '530000-01',
    DATA_TIMESTAMP: '20261101090000',
  },
})

export const project = (code: string, region = '530100') => ({
  DATA_TYPE: '1',
  DATA_KEY: code,
  TABLE: 'TENDER_PROJECT',
  DATA: {
    TENDER_PROJECT_CODE: code,
    TENDER_PROJECT_NAME: `项目 ${code}`,
    TENDER_PROJECT_TYPE: 'A01',
    REGION_CODE: region,
    PLATFORM_CODE: `${region.slice(0, 2)}0000-01`,
    DATA_TIMESTAMP: '20261001090000',
  },
})

export const deal = (
  code: string,
  parent: string,
  amount: string,
  over: { readonly type?: string; readonly day?: string; readonly region?: string } = {},
) => ({
  DATA_TYPE: over.type ?? '1',
  DATA_KEY: code,
  TABLE: 'BID_SECTION',
  DATA: {
    BID_SECTION_CODE: code,
    BID_SECTION_NAME: `成交 ${code}`,
    TENDER_PROJECT_CODE: parent,
    TENDER_PROJECT_TYPE: 'A01',
    REGION_CODE: over.region ?? '530100',
    PLATFORM_CODE: `${(over.region ?? '530100').slice(0, 2)}0000-01`,
    DEAL_AMOUNT: amount,
    EXPERT_SEATS: '5',
    WIN_BID_TIME: over.day ?? '20261015',
    DATA_TIMESTAMP: '20261016090000',
  },
})
